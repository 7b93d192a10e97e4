/**
 * One POST and what its answer means for the sender: taken, later, or never. Redirects are not followed, and what comes
 * back is not kept. No URL, header or body is in what it says.
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { TAKEN, type Verdict } from './destination.ts';

const compress = promisify(gzip);

/** These say that the same bytes would never be taken; with anything else, somebody may put something right. */
const NEVER = new Set([400, 422]);
const TOO_LARGE = 413;
/** Read to its end, so that the connection can be used again; more is cut off. */
const ANSWER_MAX_BYTES = 64 * 1024;

export interface HttpPostOptions {
  readonly url: string;
  /** Sent with each request, such as `authorization`. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of one attempt. */
  readonly timeoutMs: number;
  readonly isGzip: boolean;
}

export class HttpPost {
  readonly #options: HttpPostOptions;

  constructor(options: HttpPostOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async send(body: Buffer, contentType: string, signal: AbortSignal): Promise<Verdict> {
    const { url, headers, timeoutMs, isGzip } = this.#options;
    try {
      const response = await fetch(url, {
        method: 'POST',
        redirect: 'manual',
        headers: {
          'user-agent': 'fairlead',
          ...headers,
          'content-type': contentType,
          ...(isGzip ? { 'content-encoding': 'gzip' } : {}),
        },
        body: isGzip ? await compress(body) : body,
        signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), signal]),
      });
      await readAway(response);
      return verdictOf(response);
    } catch (error) {
      return { kind: 'later', problem: whyOf(error) };
    }
  }
}

function verdictOf({ status, ok, headers }: Response): Verdict {
  if (ok) return TAKEN;
  if (status === TOO_LARGE) return { kind: 'too-large' };
  const problem = `it answered ${status}`;
  if (NEVER.has(status)) return { kind: 'refused', problem };
  const waitMs = retryAfterMs(headers.get('retry-after'), Date.now());
  return waitMs === null ? { kind: 'later', problem } : { kind: 'later', problem, waitMs };
}

/** Seconds, or a date (RFC 9110, section 10.2.3); null: it does not say. */
export function retryAfterMs(value: string | null, wallMs: number): number | null {
  if (value === null) return null;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - wallMs);
}

async function readAway(response: Response): Promise<void> {
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > ANSWER_MAX_BYTES) break;
  }
}

/** By its code alone: a message may hold the URL. */
function whyOf(error: unknown): string {
  if (error instanceof DOMException && error.name === 'TimeoutError') return 'it gave no answer in time';
  const cause = error instanceof Error ? error.cause : null;
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : 'failed';
  return `it could not be reached (${code})`;
}
