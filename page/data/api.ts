/** Calls of the admin API. Every failure is a `Problem` with sentences for people. */
import { forgetToken, token } from './token.ts';

/** An answer takes no longer: a change waits for the disk and for all workers. */
const TIMEOUT_MS = 15_000;
/** What the audit shows beside the name of the token. */
const ACTOR = 'page';

/** Why a call did not do what was asked. `status` 0: no answer came. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly code: string;
  readonly hint: string | null;

  constructor(status: number, code: string, detail: string, hint: string | null = null) {
    super(detail);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

/** Reads a resource. @throws Problem */
export async function read<T>(path: string): Promise<T> {
  const response = await call(path, { method: 'GET' });
  return (await response.json()) as T;
}

/** What came of a change. */
export interface Changed {
  /** It waits for a second person. */
  readonly isAsked: boolean;
  readonly approvalId: string | null;
}

/** Asks for a change. @throws Problem */
export async function change(method: 'POST' | 'PUT', path: string, body: object): Promise<Changed> {
  const response = await call(path, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer = (await response.json().catch(() => ({}))) as { approval?: { id?: string } };
  return { isAsked: response.status === 202, approvalId: answer.approval?.id ?? null };
}

/** Opens a stream of server-sent events; it has no end of its own. @throws Problem */
export async function openStream(path: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  const response = await ask(path, { headers: { accept: 'text/event-stream' }, signal });
  if (response.body === null) throw new Problem(0, 'no_body', 'The stream has no body.');
  return response.body;
}

function call(path: string, init: RequestInit): Promise<Response> {
  return ask(path, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
}

async function ask(path: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set('x-fairlead-actor', ACTOR);
  if (token.value !== null) headers.set('authorization', `Bearer ${token.value}`);
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers, cache: 'no-store', credentials: 'omit' });
  } catch (error) {
    const isLate = error instanceof DOMException && error.name === 'TimeoutError';
    throw new Problem(
      0,
      'no_answer',
      isLate ? 'The sidecar did not answer in time.' : 'The sidecar cannot be reached.',
    );
  }
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (problem.status === 401) forgetToken();
  throw problem;
}

async function problemOf(response: Response): Promise<Problem> {
  const { status } = response;
  const body = (await response.json().catch(() => ({}))) as {
    readonly [key in 'title' | 'detail' | 'code' | 'hint']?: string;
  };
  const detail = body.detail ?? body.title ?? `The sidecar answered ${status}.`;
  return new Problem(status, body.code ?? 'unknown', detail, body.hint ?? null);
}
