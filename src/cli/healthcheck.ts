/**
 * `fairlead healthcheck`: asks the probe listener whether the sidecar is ready, for a container's HEALTHCHECK.
 * Runs every few seconds in production, so it loads nothing but the HTTP client of Node.
 */
import { get } from 'node:http';
import { CliError, Exit, type Io } from './io.ts';

export interface HealthcheckOptions {
  readonly url: string;
  readonly timeoutMs: number;
}

/** 0 ready, 1 not ready, 4 no answer in time, 5 not reachable. */
export async function healthcheckCommand(options: HealthcheckOptions, io: Io): Promise<number> {
  const { url, timeoutMs } = options;
  if (!/^http:\/\//.test(url) || !URL.canParse(url)) {
    throw new CliError(Exit.usage, `--url ${JSON.stringify(url)} is not an http:// URL`);
  }
  const answer = await ask(url, timeoutMs);
  if (answer.status === 200) return Exit.ok;
  if (answer.status > 0) {
    io.err(`not ready: ${url} answered ${answer.status}\n`);
    return Exit.negative;
  }
  io.err(`not reachable: ${url}: ${answer.problem}\n`);
  return answer.problem === TIMED_OUT ? Exit.timedOut : Exit.adminUnreachable;
}

const TIMED_OUT = 'no answer in time';

function ask(url: string, timeoutMs: number): Promise<{ status: number; problem: string }> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false }, (response) => {
      response.resume();
      clearTimeout(timer);
      resolve({ status: response.statusCode ?? 0, problem: '' });
    });
    const timer = setTimeout(() => request.destroy(new Error(TIMED_OUT)), timeoutMs);
    request.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      resolve({ status: 0, problem: error.code ?? error.message });
    });
  });
}
