/**
 * The CLI's way to a running sidecar: HTTP to the admin address or its unix socket, with a deadline, and every
 * failure turned into one sentence and an exit code. Believes nobody, and sends no token to anybody, who does not say to
 * be the admin API. Never prints; never retries a change.
 */
import { readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { Agent, type Dispatcher, request } from 'undici';
import { API_HEADER, API_VERSION } from '../admin/api-header.ts';
import { CliError, Exit, type Io } from './io.ts';

/** Long enough for a reload of a large config; a person waits for it. */
export const DEADLINE_MS = 5000;
/** Answers are small; this only keeps a wrong address from filling the memory. */
const ANSWER_MAX_BYTES = 32 * 1024 * 1024;

/** Where the sidecar is and what it may be told. */
export interface AdminTarget {
  /** `http://127.0.0.1:15100` or `unix:/run/fairlead/admin.sock`. */
  readonly admin: string;
  /** Else FAIRLEAD_ADMIN__TOKEN, else the file that FAIRLEAD_ADMIN__TOKEN_FILE names. */
  readonly token?: string | undefined;
}

/** The members of a problem that the CLI shows. */
interface Problem {
  readonly code?: string;
  readonly detail?: string;
  readonly hint?: string;
}

/** Reads a resource, with the token if there is one. @throws CliError with the exit code that goes with the failure */
export function adminGet(target: AdminTarget, path: string, env: Io['env']): Promise<unknown> {
  return ask(target, { method: 'GET', path, headers: authorization(target, env) }, readAnswer);
}

/** Reads a page that is no JSON, the metrics. @throws CliError with the exit code that goes with the failure */
export function adminGetText(target: AdminTarget, path: string): Promise<string> {
  return ask(target, { method: 'GET', path, headers: {} }, readText);
}

/** Asks for a change. @throws CliError; `refused` (7) when there is no token or it is wrong */
export function adminPost(target: AdminTarget, path: string, body: object, env: Io['env']): Promise<unknown> {
  return change('POST', target, path, { body, env });
}

/** Asks for something to be taken away. @throws CliError like `adminPost` */
export function adminDelete(
  target: AdminTarget,
  path: string,
  body: object,
  env: Io['env'],
): Promise<unknown> {
  return change('DELETE', target, path, { body, env });
}

function change(
  method: 'POST' | 'DELETE',
  target: AdminTarget,
  path: string,
  { body, env }: { readonly body: object; readonly env: Io['env'] },
): Promise<unknown> {
  const headers = {
    'content-type': 'application/json',
    'x-fairlead-actor': actor(),
    ...authorization(target, env),
  };
  return ask(target, { method, path, headers, body: JSON.stringify(body) }, readAnswer);
}

export function authorization(target: AdminTarget, env: Io['env']): Record<string, string> {
  const token = tokenOf(target, env);
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

interface Question {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
}

/** Who has said to be the admin API, or is being asked, by the target of a command. */
const identified = new WeakMap<AdminTarget, Promise<unknown>>();

/** Asks who is there before a token goes there for the first time in a command, and again after it was away. @throws CliError */
export async function identify(
  target: AdminTarget,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  if (headers.authorization === undefined) return;
  let asked = identified.get(target);
  if (asked === undefined) {
    asked = ask(target, { method: 'GET', path: '/livez', headers: {} }, () => null);
    identified.set(target, asked);
  }
  await asked;
}

/** @throws CliError when it is not the admin API that answers */
export function believe(target: AdminTarget, answer: Dispatcher.ResponseData): void {
  if (answer.headers[API_HEADER] === API_VERSION) return;
  // What it says may have no end.
  answer.body.on('error', () => undefined).destroy();
  throw stranger(target, answer.statusCode);
}

async function ask<T>(
  target: AdminTarget,
  question: Question,
  read: (target: AdminTarget, status: number, text: string) => T,
): Promise<T> {
  const { origin, socketPath } = parseAdmin(target.admin);
  await identify(target, question.headers);
  const connect = socketPath === null ? { timeout: DEADLINE_MS } : { socketPath, timeout: DEADLINE_MS };
  // No keep-alive: an idle connection would hold the process for seconds after the answer.
  const agent = new Agent({ connect, pipelining: 0, maxResponseSize: ANSWER_MAX_BYTES });
  try {
    const { path, ...rest } = question;
    const signal = AbortSignal.timeout(DEADLINE_MS);
    const answer = await request(`${origin}${path}`, { ...rest, dispatcher: agent, signal });
    believe(target, answer);
    return read(target, answer.statusCode, await answer.body.text());
  } catch (error) {
    const failure = error instanceof CliError ? error : unreachable(target, error);
    if (failure.exitCode === Exit.adminUnreachable) identified.delete(target);
    throw failure;
  } finally {
    await agent.destroy();
  }
}

/** @throws CliError (usage) when it is neither a URL nor `unix:/path` */
export function parseAdmin(admin: string): { origin: string; socketPath: string | null } {
  if (admin.startsWith('unix:/'))
    return { origin: 'http://localhost', socketPath: admin.slice('unix:'.length) };
  const url = URL.canParse(admin) ? new URL(admin) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    const hint = 'write http://127.0.0.1:15100 or unix:/path/to/admin.sock';
    throw new CliError(Exit.usage, `--admin ${JSON.stringify(admin)} is no address; ${hint}`);
  }
  return { origin: url.origin, socketPath: null };
}

function readText(target: AdminTarget, status: number, text: string): string {
  // What is no page is a problem, which is an error.
  if (status >= 300) readAnswer(target, status, text);
  return text;
}

export function readAnswer(target: AdminTarget, status: number, text: string): unknown {
  const parsed = parseJson(text);
  if (status === 202) throw waiting(parsed);
  if (status < 300 && parsed !== null) return parsed;
  const problem = parsed as Problem | null;
  if (typeof problem?.code !== 'string') throw stranger(target, status);
  const { detail = problem.code, hint = '' } = problem;
  const sentence = hint === '' ? detail : `${detail.replace(/\.$/, '')}; ${hint}`;
  throw new CliError(exitCodeOf(status), sentence);
}

/** Nothing was done: somebody else has to approve it. */
function waiting(answer: object | null): CliError {
  const { approval } = (answer ?? {}) as { approval?: { id?: string; target?: string; expiresAt?: string } };
  const { id = '', target = '', expiresAt = '' } = approval ?? {};
  const how = `\`fairlead approve ${id}\` by somebody else does it, until ${expiresAt}`;
  return new CliError(Exit.negative, `not done yet: ${target} is on a protected route; ${how}`);
}

function exitCodeOf(status: number): number {
  if (status === 401 || status === 403) return Exit.refused;
  if (status === 404) return Exit.negative;
  if (status === 409 || status === 412) return Exit.conflict;
  return status >= 500 ? Exit.internal : Exit.usage;
}

function stranger({ admin }: AdminTarget, status: number): CliError {
  return new CliError(
    Exit.adminUnreachable,
    `what answers at ${admin} is not Fairlead's admin API (status ${status}); is admin.address what --admin says?`,
  );
}

export function unreachable(target: AdminTarget, cause: unknown): CliError {
  const { code, name } = cause as { code?: unknown; name?: unknown };
  const isTimeout = name === 'TimeoutError' || name === 'ConnectTimeoutError';
  const why = isTimeout
    ? `no answer in ${DEADLINE_MS / 1000} s`
    : typeof code === 'string'
      ? code
      : String(cause);
  const hint = 'is the sidecar running, and is admin.address what --admin says?';
  return new CliError(
    Exit.adminUnreachable,
    `the admin API at ${target.admin} cannot be reached: ${why}; ${hint}`,
    { cause },
  );
}

function parseJson(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

function tokenOf(target: AdminTarget, env: Io['env']): string | null {
  const given = target.token ?? env.FAIRLEAD_ADMIN__TOKEN;
  if (given !== undefined && given !== '') return given;
  const file = env.FAIRLEAD_ADMIN__TOKEN_FILE;
  if (file === undefined || file === '') return null;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new CliError(Exit.unfit, `the token file ${file} (FAIRLEAD_ADMIN__TOKEN_FILE) cannot be read`, {
      cause,
    });
  }
}

/** Who is on record for the change; a container's user may have no name. */
function actor(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    return hostname();
  }
}
