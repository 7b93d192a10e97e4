/** `fairlead load` against a server that says which variant it is. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type LoadOptions, type LoadRow, loadCommand } from '../../../src/cli/load.ts';

let server: Server | null = null;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = null;
});

/** Enough to see shares by. */
const REQUESTS = 200;

/**
 * Users whose number ends in 0 are on the candidate, which fails if told so. Ends the load, as Ctrl-C does, when there were
 * enough requests, which on a slow machine takes longer.
 */
async function serve(options: { candidateStatus: number }): Promise<string> {
  let asked = 0;
  server = createServer((request, response) => {
    if (++asked === REQUESTS) process.emit('SIGINT');
    const user = String(request.headers['x-user-id']);
    const override = request.headers['x-experiment-override'];
    const isCandidate = override === undefined ? user.endsWith('0') : override === 'ranking=candidate';
    response.statusCode = isCandidate ? options.candidateStatus : 200;
    if (override === undefined) {
      response.setHeader('x-fairlead-variant', `ranking=${isCandidate ? 'candidate' : 'control'}`);
    }
    response.end('ok');
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

async function load(url: string, more: Partial<LoadOptions>): Promise<{ code: number; rows: LoadRow[] }> {
  const out: string[] = [];
  const io = { out: (text: string) => void out.push(text), err: () => {}, env: {}, isTerminal: false };
  const options: LoadOptions = {
    url,
    connections: 2,
    duration: 50,
    header: [],
    unitHeader: 'x-user-id',
    users: 100,
    variants: 'control,candidate',
    output: 'json',
    ...more,
  };
  const code = await loadCommand(options, io);
  return { code, rows: (JSON.parse(out.join('')) as { rows: LoadRow[] }).rows };
}

test('there is a row per variant that the responses name, and the shares are those of the users', async () => {
  const { code, rows } = await load(await serve({ candidateStatus: 200 }), {});
  expect(code).toBe(0);
  expect(rows.map((row) => row.variant)).toEqual(['ranking=candidate', 'ranking=control']);
  expect(rows[0]!.sharePercent).toBeGreaterThan(8);
  expect(rows[0]!.sharePercent).toBeLessThan(12);
  expect(rows[0]!.ok).toBe(rows[0]!.requests);
  expect(rows[1]!.p99Ms).toBeGreaterThanOrEqual(rows[1]!.p50Ms);
});

test('a variant that answers 5xx is counted in its own row, and the exit code is 1', async () => {
  const { code, rows } = await load(await serve({ candidateStatus: 503 }), {});
  expect(code).toBe(1);
  expect(rows[0]!.failed).toBe(rows[0]!.requests);
  expect(rows[1]!.failed).toBe(0);
});

test('with an experiment every variant is asked for in turns', async () => {
  const { rows } = await load(await serve({ candidateStatus: 500 }), { experiment: 'ranking' });
  expect(rows.map((row) => row.variant)).toEqual(['candidate', 'control']);
  expect(rows[0]!.sharePercent).toBeGreaterThan(45);
  expect(rows[0]!.sharePercent).toBeLessThan(55);
  expect(rows[0]!.failed).toBe(rows[0]!.requests);
});
