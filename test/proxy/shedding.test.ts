/**
 * What is given up under load, over real sockets: the data plane is told how late its ticks are, and everything behind
 * that is the real thing.
 */
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import type { Log } from '../../src/telemetry/log.ts';
import { field } from '../support/message.ts';
import { startPlane, type TestPlane } from '../support/plane.ts';
import { answer, configOf, get, ok, useRig } from '../support/rig.ts';

const rig = useRig();
const TICK_MS = 50;

interface World extends TestPlane {
  /** Ticks that each are so late, until the level is reached; or, without a level, so many. */
  late(lateMs: number, level: number): void;
  readonly said: string[];
}

async function world(settings: object = { overload: { eventLoopDelay: '100ms' } }): Promise<World> {
  const control = await rig.upstream(({ socket }) => socket.write(ok('control')));
  const candidate = await rig.upstream(({ socket }) => socket.write(ok('candidate')));
  const said: string[] = [];
  const note = (_facts: object, sentence: string) => void said.push(sentence);
  const text = configOf([], {
    upstreams: { app: control.endpoint, next: candidate.endpoint },
    protect: ['pay'],
    listeners: [
      { name: 'inbound', address: '127.0.0.1:0' },
      { name: 'outbound', address: '127.0.0.1:0', direction: 'outbound' },
    ],
    routes: [
      { name: 'calls', direction: 'outbound', upstream: 'app' },
      { name: 'all', upstream: 'app', experiments: ['ranking'] },
      { name: 'pay', match: { path: '/pay' }, upstream: 'app' },
    ],
    experiments: {
      ranking: { variants: { control: { weight: '0%' }, candidate: { weight: '100%', upstream: 'next' } } },
    },
    ...settings,
  });
  const log = { info: note, warn: note, error: note, debug: note } as unknown as Log;
  const proxy = await startPlane(text, systemClock, log);
  rig.also(() => proxy.close());
  const { limits } = proxy.plane;
  // The ticks of the plane itself would say that it is on time.
  const tick = limits.tick.bind(limits);
  limits.tick = () => {};
  let nowMs = systemClock.now();
  tick(nowMs);
  return Object.assign(proxy, {
    said,
    late(lateMs: number, level: number) {
      const { shedding } = limits;
      for (let i = 0; i < 10_000 && shedding!.level !== level; i++) {
        nowMs += TICK_MS + lateMs;
        tick(nowMs);
      }
      expect(shedding!.level).toBe(level);
    },
  });
}

const USER = 'x-user-id: u-1\r\n';

async function body(proxy: World, target = '/', fields = USER): Promise<string> {
  const got = await answer(rig.client(proxy.port).send(get(target, fields)));
  return got.status === 200 ? got.body : `${got.status} ${got.problem!.code}`;
}

/** How many of 40 requests are served. */
async function served(proxy: World, target: string, port = proxy.port): Promise<number> {
  const client = rig.client(port);
  let count = 0;
  for (let i = 0; i < 40; i++) if ((await answer(client.send(get(target)))).status === 200) count++;
  return count;
}

describe('an overloaded sidecar', () => {
  it('gives nothing up while it is on time', async () => {
    const proxy = await world();
    expect(await body(proxy)).toBe('candidate');
    expect(proxy.exposures).toHaveLength(1);
    expect(proxy.plane.limits.view().shedding).toMatchObject({ level: 0, upTo: null, reason: '' });
  });

  it('gives up the records of exposures before it touches a request', async () => {
    const proxy = await world();
    proxy.late(120, 2);
    expect(await body(proxy)).toBe('candidate');
    expect(proxy.exposures).toHaveLength(0);
    expect(proxy.plane.metrics.overload.shed('exposure').value).toBe(1);
  });

  it('then serves the fallback to everybody, whose breaker hears of it as of any call', async () => {
    const proxy = await world();
    proxy.late(120, 3);
    expect(await body(proxy)).toBe('control');
    expect(proxy.access[0]!.experiments[0]).toMatchObject({
      assigned: 'candidate',
      served: 'control',
      reason: 'overload',
    });
    const calls = proxy.plane.breakers().map(({ name, requests }) => [name, requests]);
    expect(calls).toEqual([
      ['all/ranking/control', 1],
      ['all/ranking/candidate', 0],
    ]);
  });

  it('then answers a growing share of ordinary requests 503, and protected routes as ever', async () => {
    const proxy = await world();
    proxy.late(110, 4);
    const some = await served(proxy, '/');
    expect(some).toBeGreaterThan(20);
    expect(some).toBeLessThan(40);
    expect(await served(proxy, '/pay')).toBe(40);
    // What the service calls belongs to requests that were let in.
    expect(await served(proxy, '/', proxy.portOf('outbound'))).toBe(40);
    proxy.late(110, 5);
    expect(await served(proxy, '/')).toBe(0);
    expect(await served(proxy, '/pay')).toBeGreaterThan(20);
    const got = await answer(rig.client(proxy.port).send(get()));
    expect([got.status, got.problem?.code, field(got, 'retry-after')]).toEqual([503, 'load_shed', '1']);
  });

  it('takes everything up again when it is on time, and has said each step in a sentence with the number', async () => {
    const proxy = await world();
    proxy.late(120, 3);
    proxy.late(0, 0);
    expect(await body(proxy)).toBe('candidate');
    expect(proxy.exposures).toHaveLength(1);
    const steps = proxy.said.filter((sentence) => sentence.startsWith('overload: '));
    expect(steps[0]).toMatch(
      /^overload: level 0 -> 1, shed: mirror; the event loop is 1\d\dms late > 100ms$/,
    );
    expect(steps[2]).toContain('level 2 -> 3, shed: mirror, exposure, candidate');
    expect(steps.at(-1)).toBe('overload: level 1 -> 0, nothing is shed');
  });

  it('looks at memory: a limit that is passed already sheds most of the ordinary and nothing protected', async () => {
    const proxy = await world({ overload: { memory: '16MiB' } });
    proxy.late(0, 4);
    expect(proxy.plane.limits.view().shedding!.reason).toMatch(/^memory is at \d+% of its limit$/);
    expect(await body(proxy, '/pay')).toBe('control');
  });

  it('does nothing of it unless it is told to', async () => {
    const proxy = await world({});
    expect(proxy.plane.limits.view()).toEqual({ shedding: null, concurrency: [], rateLimits: [] });
    expect(await body(proxy)).toBe('candidate');
  });
});
