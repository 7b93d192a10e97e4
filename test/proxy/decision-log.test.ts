/** What goes on record of requests over real sockets, also of those that nobody served, and that it costs none of them. */
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/clock.ts';
import { DataPlane } from '../../src/proxy/data-plane.ts';
import { DecisionLog } from '../../src/telemetry/decision-log.ts';
import { silentLog } from '../../src/telemetry/log.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { snapshotOf } from '../support/plane.ts';
import { answer, get, ok, useRig } from '../support/rig.ts';

const rig = useRig();
const planes: DataPlane[] = [];
afterEach(() => {
  for (const plane of planes.splice(0)) plane.stop();
});

interface Entry {
  readonly experiment: string;
  readonly served: string | null;
  readonly because: string | null;
}
interface Line {
  readonly route: string;
  readonly request_id: string;
  readonly refused: string | null;
  readonly experiments: readonly Entry[];
}

/** A plane that records everything, with the experiments `ranking`, which may refuse, and `canary`, which is required. */
async function world(write: (line: string) => boolean = () => true) {
  const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
  const metrics = new Metrics({ version: 'test', node: process.version, isProcessIncluded: false });
  const lines: Line[] = [];
  const { decisionsWritten: written, decisionsDropped: dropped } = metrics.counters;
  const target = {
    write(line: string) {
      lines.push(JSON.parse(line) as Line);
      return write(line);
    },
  };
  const settings = { service: 'shop', key: 'k', random: systemRandom, samplePpm: 1_000_000, isPlain: false };
  const variants = { control: { weight: '0%' }, candidate: { weight: '100%', upstream: 'v2' } };
  const yaml = {
    version: 1,
    listeners: [{ name: 'inbound', address: '127.0.0.1:0' }],
    upstreams: { v1: upstream.endpoint, v2: upstream.endpoint },
    routes: [
      { name: 'plain', match: { path: '/plain' }, upstream: 'v1' },
      { name: 'all', upstream: 'v1', experiments: ['ranking'] },
    ],
    experiments: {
      canary: { variants },
      ranking: {
        requires: [{ experiment: 'canary', variant: 'candidate' }],
        unknownVariant: 'refuse',
        variants,
      },
    },
  };
  const plane = new DataPlane(snapshotOf(JSON.stringify(yaml)), {
    ...{
      clock: systemClock,
      random: systemRandom,
      metrics,
      log: silentLog,
      accessLog: null,
      exposures: null,
    },
    onTransition: () => {},
    decisions: new DecisionLog({ ...settings, target, written, dropped }),
  });
  planes.push(plane);
  await plane.start();
  const [{ address }] = plane.listeners as unknown as [{ address: { port: number } }];
  const client = rig.client(address.port);
  const ask = async (fields: string, path = '/'): Promise<number> => {
    client.send(get(path, fields));
    return (await answer(client)).status;
  };
  return { plane, lines, ask, counters: metrics.counters };
}

describe('on record', () => {
  it('is what was decided, with what it required and under the id that the upstream was told', async () => {
    const { ask, lines } = await world();
    expect(await ask('x-user-id: anna\r\nx-request-id: r-1\r\n')).toBe(200);
    expect(await ask('x-user-id: anna\r\n')).toBe(200);
    expect(
      lines.map((line) => line.experiments.map(({ experiment, served }) => [experiment, served])),
    ).toEqual([
      [
        ['canary', null],
        ['ranking', 'candidate'],
      ],
      [
        ['canary', null],
        ['ranking', 'candidate'],
      ],
    ]);
    expect(lines[0]).toMatchObject({ route: 'all', request_id: 'r-1', refused: null });
    expect(lines[1]!.request_id).toMatch(/^[0-9a-f]{32}$/);
  });

  it('is not what no experiment was decided for', async () => {
    const { ask, lines } = await world();
    expect(await ask('x-user-id: anna\r\n', '/plain')).toBe(200);
    expect(lines).toEqual([]);
  });

  it('is why nobody served, and that another variant did', async () => {
    const { ask, lines, plane } = await world();
    expect(await ask('x-experiment: ranking=gone\r\n')).toBe(501);
    plane.force('all/ranking/candidate', 'open', 60_000, 'test');
    expect(await ask('x-user-id: anna\r\n')).toBe(200);
    plane.force('all/ranking/control', 'open', 60_000, 'test');
    expect(await ask('x-user-id: anna\r\n')).toBe(503);
    expect(
      lines.map(({ refused, experiments }) => [refused, experiments[1]!.served, experiments[1]!.because]),
    ).toEqual([
      ['variant_unknown', null, null],
      [null, 'control', 'breaker'],
      ['breaker_open', null, null],
    ]);
  });
});

it('a record that fails costs no request, and is counted', async () => {
  const { ask, counters } = await world(() => {
    throw new Error('a bug of ours');
  });
  expect([await ask('x-user-id: anna\r\n'), await ask('x-user-id: bob\r\n')]).toEqual([200, 200]);
  expect([counters.decisionsWritten.value, counters.decisionsDropped.value]).toEqual([0, 2]);
});
