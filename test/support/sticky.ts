/** A plane with a sticky experiment on a wall clock that the test moves, and a client with a cookie jar. */
import { parseSetCookie } from 'cookie';
import { afterEach } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { field, type Message } from './message.ts';
import { RawClient } from './peers.ts';
import { startPlane, type TestPlane } from './plane.ts';
import { answer, configOf, get, ok, Upstream } from './rig.ts';

export const DAY_MS = 86_400_000;
export const KEY_1 = { id: 'k1', key: 'k1-0123456789-0123456789-0123456789' };
export const KEY_2 = { id: 'k2', key: 'k2-0123456789-0123456789-0123456789' };

const closers: (() => unknown)[] = [];

/** Call it once per test file, at the top. */
export function useStickyWorlds(): void {
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
}

/** Wall time that a test moves. */
export class WallClock implements Clock {
  atMs = 1_800_000_000_000;
  now = () => systemClock.now();
  wallMs = () => this.atMs;
}

export interface World {
  readonly plane: TestPlane;
  readonly clock: WallClock;
  readonly upstream: Upstream;
  readonly client: RawClient;
  /** The next answers of the upstream. */
  answerWith(text: string): void;
  reload(experiment?: object, settings?: object): void;
}

export const SPLIT = { control: { weight: '50%' }, candidate: { weight: '50%' } };

function settingsOf(upstream: Upstream, experiment: object, settings: object): string {
  return configOf([upstream.endpoint], {
    routes: [{ name: 'all', match: { path: '/*' }, upstream: 'app', experiments: ['ranking'] }],
    experiments: {
      ranking: { unit: [{ cookie: 'sid' }], sticky: { ttl: '30d' }, variants: SPLIT, ...experiment },
    },
    stickyKeys: [KEY_1],
    propagation: { responseVariant: true },
    ...settings,
  });
}

export async function world(experiment: object = {}, settings: object = {}): Promise<World> {
  let text = ok();
  const upstream = await new Upstream((request) => request.socket.write(text)).listen();
  const clock = new WallClock();
  const plane = await startPlane(settingsOf(upstream, experiment, settings), clock);
  const client = new RawClient(plane.port);
  closers.push(
    () => upstream.close(),
    () => plane.close(),
    () => client.close(),
  );
  return {
    plane,
    clock,
    upstream,
    client,
    answerWith: (next) => {
      text = next;
    },
    reload: (changed = {}, more = {}) =>
      plane.reload(settingsOf(upstream, { ...experiment, ...changed }, { ...settings, ...more })),
  };
}

/** What a browser does with cookies, as far as it matters here. */
export class Jar {
  readonly #cookies = new Map<string, string>();
  /** Set-Cookie fields of the last answer. */
  given: readonly string[] = [];

  set(name: string, value: string): this {
    this.#cookies.set(name, value);
    return this;
  }

  get(name: string): string | undefined {
    return this.#cookies.get(name);
  }

  async fetch({ client }: World, target = '/', fields = ''): Promise<Message> {
    const cookies = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    client.send(
      get(target, `${cookies === '' ? '' : `Cookie: ${cookies}\r\n`}X-Experiment-Explain: 1\r\n${fields}`),
    );
    const message = await answer(client);
    this.given = message.fields.filter(([name]) => name === 'set-cookie').map(([, value]) => value);
    for (const text of this.given) {
      const { name, value } = parseSetCookie(text);
      this.#cookies.set(name, value ?? '');
    }
    return message;
  }
}

export function variant(message: Message): string {
  return field(message, 'x-fairlead-variant')!.replace('ranking=', '');
}

export function reason(message: Message): string {
  return field(message, 'x-experiment-reason')!.replace('ranking=', '').replace(/:.*/, '');
}

export async function counted({ plane }: World, result: string): Promise<number> {
  const page = await plane.plane.metrics.render();
  const line = new RegExp(
    `fairlead_sticky_assignments_total\\{experiment="ranking",result="${result}"\\} (\\d+)`,
  );
  return Number(line.exec(page)?.[1] ?? 0);
}
