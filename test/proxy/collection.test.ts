/** What of a request is taken down for the analysis, seen from the sockets. */
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { AGENTS, type CollectedRow, OUTCOMES, REASONS } from '../../src/analysis/collection/delta.ts';
import { readDelta } from '../../src/analysis/collection/read-delta.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Recorder } from '../../src/telemetry/collection/recorder.ts';
import { silentLog } from '../../src/telemetry/log.ts';
import { Counter } from '../../src/telemetry/series.ts';
import { startPlane } from '../support/plane.ts';
import { answer, get, ok, type Received, useRig } from '../support/rig.ts';

const rig = useRig();

const ANALYSIS = `{ metrics: [latency, { name: cost, header: x-cost, better: lower }, { name: tokens, trailer: x-tokens, better: lower }] }`;
const CANDIDATE = 'x-user-id: ada\r\n';

interface Bench {
  readonly port: number;
  readonly malformed: Counter;
  /** Rows so far, told with words. */
  rows(): object[];
}

/** Everybody is the candidate's, which answers like this. */
async function start(candidate: (request: Received) => void, analysis = ANALYSIS): Promise<Bench> {
  const v1 = await rig.upstream(({ socket }) => void socket.write(ok('control', 'X-Cost: 7\r\n')));
  const v2 = await rig.upstream(candidate);
  const rows: object[] = [];
  const malformed = new Counter();
  const recorder = new Recorder({
    key: [1, 2],
    take: (delta) => {
      readDelta(delta, 'here', (subject, row) => rows.push(told(row, delta.subjects[subject]!.route)));
      return true;
    },
    dropped: new Counter(),
    malformed,
  });
  const plane = await startPlane(
    `
version: 1
requireMetadata: false
listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]
upstreams: { v1: "${v1.endpoint}", v2: "${v2.endpoint}" }
routes: [{ name: all, upstream: v1, failover: {}, experiments: [ranking] }]
experiments:
  ranking:
    breaker: false
    variants: { control: {}, candidate: { weight: 100%, upstream: v2 } }
${analysis === '' ? '' : `    analysis: ${analysis}`}
`,
    systemClock,
    silentLog,
    null,
    recorder,
  );
  rig.also(() => plane.close());
  const flushed = () => {
    recorder.flush();
    return rows;
  };
  return { port: plane.port, malformed, rows: flushed };
}

function told(row: CollectedRow, route: string): object {
  const { assigned, served, outcome, reason, agent, values, unit, latencyMs, servedMs, ...rest } = row;
  return {
    ...rest,
    ...{ route, assigned, served, outcome: OUTCOMES[outcome], reason: REASONS[reason], agent: AGENTS[agent] },
    ...{ values: [...values], hasUnit: unit > 0, isLater: latencyMs > servedMs },
  };
}

async function ask(bench: Bench, fields = CANDIDATE): Promise<string> {
  return (await answer(rig.client(bench.port).send(get('/', fields)))).body;
}

describe('a request of an experiment that is analysed', () => {
  it('is taken down with what became of it', async () => {
    const bench = await start(({ socket }) => void socket.write(ok('candidate', 'x-cost: 2.5\r\n')));
    await ask(bench, `${CANDIDATE}User-Agent: curl/8.5\r\n`);
    await expect
      .poll(() => bench.rows())
      .toEqual([
        {
          ...{ listener: 'inbound', route: 'all', worker: 'here', agent: 'library', reason: 'split' },
          ...{ assigned: 1, served: 1, outcome: 'ok', bytes: 9, hasUnit: true, isLater: false },
          values: [2.5, Number.NaN],
        },
      ]);
  });

  it('has the values of the trailers too, and of nothing that is no number', async () => {
    const chunked = (cost: string, tokens: string) =>
      `HTTP/1.1 200 OK\r\nX-Cost: ${cost}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Other: 1\r\nX-Tokens: ${tokens} \r\n\r\n`;
    const costs = ['-1e3', '12 EUR'];
    const bench = await start(({ socket }) => void socket.write(chunked(costs.shift()!, '40')));
    await ask(bench);
    await ask(bench);
    await expect
      .poll(() => bench.rows())
      .toMatchObject([{ values: [-1000, 40] }, { values: [Number.NaN, 40] }]);
    expect(bench.malformed.value).toBe(1);
  });

  it('that failed over is the one of the variant that it was assigned, with all its time', async () => {
    const failing = 'HTTP/1.1 503 Sick\r\nX-Cost: 99\r\nContent-Length: 4\r\n\r\nsick';
    const bench = await start(({ socket }) => void setTimeout(() => socket.write(failing), 30));
    expect(await ask(bench)).toBe('control');
    await expect
      .poll(() => bench.rows())
      .toMatchObject([
        { assigned: 1, served: 0, outcome: 'ok', isLater: true, bytes: 7, values: [7, Number.NaN] },
      ]);
  });

  it('that nobody waited for is neither good nor bad', async () => {
    let socket: Socket | null = null;
    // The client goes when its request has arrived.
    const bench = await start(() => void socket?.resetAndDestroy());
    socket = rig.socket(bench.port);
    socket.write(get('/', CANDIDATE));
    await expect
      .poll(() => bench.rows())
      .toMatchObject([{ outcome: 'ignored', values: [Number.NaN, Number.NaN] }]);
  });

  it('is taken down with what was carried, and without a unit where there is none', async () => {
    const bench = await start(({ socket }) => void socket.write(ok('candidate')));
    await ask(bench, 'x-experiment: ranking=control\r\n');
    await ask(bench, `${CANDIDATE}x-experiment: ranking=candidate\r\n`);
    await expect
      .poll(() => bench.rows())
      .toMatchObject([
        { reason: 'propagated', assigned: 0, hasUnit: false },
        { reason: 'propagated', assigned: 1, hasUnit: true },
      ]);
  });

  it('is not taken down when somebody tests, or is in no experiment', async () => {
    const bench = await start(({ socket }) => void socket.write(ok('candidate')));
    await ask(bench, `${CANDIDATE}x-experiment-override: ranking=candidate\r\n`);
    await ask(bench, '');
    await ask(bench);
    await expect.poll(() => bench.rows()).toMatchObject([{ reason: 'split' }]);
  });

  it('is not taken down without an analysis', async () => {
    const bench = await start(({ socket }) => void socket.write(ok('candidate')), '');
    expect(await ask(bench)).toBe('candidate');
    expect(bench.rows()).toEqual([]);
  });
});
