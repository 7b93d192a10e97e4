/** What is found before the first step, on real sockets. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compileRollout } from '../../../src/config/compile-rollout.ts';
import type { OpenBreaker } from '../../../src/control/rollout-evidence.ts';
import { preflight } from '../../../src/control/rollout-preflight.ts';
import { configOf, snapshotOf } from '../../support/config.ts';

interface Answering {
  status: number;
  date: string | null;
}

let servers: Server[];
let control: Answering;
let candidate: Answering;
let ports: number[];
const WALL_MS = Date.UTC(2026, 10, 21);

async function listen(answering: Answering): Promise<number> {
  const server = createServer((_, response) => {
    response.sendDate = false;
    if (answering.date !== null) response.setHeader('date', answering.date);
    response.writeHead(answering.status).end('a body that nobody reads');
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

beforeEach(async () => {
  servers = [];
  control = { status: 200, date: null };
  candidate = { status: 200, date: null };
  ports = [await listen(control), await listen(candidate)];
});

afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

function found(
  settings: {
    requests?: number;
    breaker?: OpenBreaker;
    unusable?: string[];
    wallMs?: number;
    tls?: string;
  } = {},
) {
  const { requests = 100, breaker = null, unusable = [], wallMs = WALL_MS, tls = '' } = settings;
  const text = `
version: 1
upstreams: { v1: "127.0.0.1:${ports[0]}", v2: { endpoints: ["127.0.0.1:${ports[1]}"]${tls} } }
routes: [{ name: all, upstream: v1, experiments: [ranking] }]
experiments:
  ranking:
    variants: { control: {}, candidate: { weight: 0%, upstream: v2 } }
    rollout: { preflight: { probes: [{ path: /healthz }, { path: /other, status: 200 }], timeout: 30s } }
`;
  const arms = new Map([['control', { requests, hits: {} }]]);
  return preflight('ranking', compileRollout(configOf(text), 'ranking')!, {
    snapshot: () => snapshotOf(text),
    evidence: {
      read: async () => new Map([['ranking', arms]]),
      openBreaker: () => breaker,
      results: () => null,
    },
    unusable: () => unusable,
    wallMs: () => wallMs,
  });
}

describe('before the first step', () => {
  test('nothing speaks against a candidate that is there and answers alike', async () => {
    expect(await found()).toEqual([]);
  });

  test('a candidate that cannot be reached, or has no healthy endpoint', async () => {
    expect(await found({ unusable: [`127.0.0.1:${ports[1]}`] })).toEqual([
      'the upstream v2 has no endpoint that is healthy',
    ]);
    // Nobody has this port, and nobody gets it by asking for a free one.
    ports[1] = 1;
    expect(await found()).toEqual(['the upstream v2 cannot be reached (ECONNREFUSED)']);
  });

  test('a candidate that is to speak TLS and does not', async () => {
    expect(await found({ tls: ', tls: {}' })).toEqual([
      expect.stringMatching(/^the upstream v2 cannot be reached \(/),
    ]);
  });

  test('a candidate that answers a probe otherwise', async () => {
    candidate.status = 404;
    expect(await found()).toEqual([
      'the probe GET /healthz: the candidate answers 404 and control 200',
      'the probe GET /other: the candidate answers 404 and not 200',
    ]);
  });

  test('clocks that disagree, or were never set', async () => {
    candidate.date = new Date(WALL_MS - 600_000).toUTCString();
    expect(await found()).toEqual(['the clock of the candidate is 600 s from ours (at most 60 s)']);
    candidate.date = null;
    expect(await found({ wallMs: 1_000 })).toEqual(['the clock says 1970-01-01T00:00:01.000Z']);
  });

  test('an open breaker, and requests that nobody counts', async () => {
    expect(
      await found({ breaker: { name: 'all/ranking/candidate', reason: 'by hand' }, requests: 0 }),
    ).toEqual([
      'the breaker all/ranking/candidate is open: by hand',
      'no request that control served has been counted yet, so there is nothing to compare with',
    ]);
  });
});
