/** Sticky assignments over real sockets: cookies as browsers keep them, keys that are rotated, and what is not kept. */
import { parseSetCookie } from 'cookie';
import { afterEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { field, type Message } from '../support/message.ts';
import { RawClient } from '../support/peers.ts';
import { startPlane, type TestPlane } from '../support/plane.ts';
import { answer, configOf, get, ok, Upstream } from '../support/rig.ts';

const DAY_MS = 86_400_000;
const KEY_1 = { id: 'k1', key: 'k1-0123456789-0123456789-0123456789' };
const KEY_2 = { id: 'k2', key: 'k2-0123456789-0123456789-0123456789' };

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Wall time that a test moves. */
class WallClock implements Clock {
  atMs = 1_800_000_000_000;
  now = () => systemClock.now();
  wallMs = () => this.atMs;
}

interface World {
  readonly plane: TestPlane;
  readonly clock: WallClock;
  readonly upstream: Upstream;
  readonly client: RawClient;
  /** The next answers of the upstream. */
  answerWith(text: string): void;
  reload(experiment?: object, settings?: object): void;
}

const SPLIT = { control: { weight: '50%' }, candidate: { weight: '50%' } };

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

async function world(experiment: object = {}, settings: object = {}): Promise<World> {
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
class Jar {
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

function variant(message: Message): string {
  return field(message, 'x-fairlead-variant')!.replace('ranking=', '');
}

function reason(message: Message): string {
  return field(message, 'x-experiment-reason')!.replace('ranking=', '').replace(/:.*/, '');
}

async function counted({ plane }: World, result: string): Promise<number> {
  const page = await plane.plane.metrics.render();
  const line = new RegExp(
    `fairlead_sticky_assignments_total\\{experiment="ranking",result="${result}"\\} (\\d+)`,
  );
  return Number(line.exec(page)?.[1] ?? 0);
}

describe('a sticky assignment', () => {
  it('is given out once, signed, and is kept when the id changes', async () => {
    const at = await world();
    const jar = new Jar().set('sid', 'anonymous-1');
    const first = await jar.fetch(at);
    expect(reason(first)).toBe('split');
    expect(jar.given).toHaveLength(1);
    expect(parseSetCookie(jar.given[0]!)).toMatchObject({
      name: 'fairlead_sticky',
      maxAge: 30 * 86_400,
      path: '/',
      httpOnly: true,
      secure: true,
      sameSite: 'lax',
    });
    for (let user = 0; user < 30; user++) {
      const message = await jar.set('sid', `user-${user}`).fetch(at);
      expect([variant(message), reason(message), jar.given]).toEqual([variant(first), 'sticky', []]);
    }
    expect(await counted(at, 'issued')).toBe(1);
    expect(await counted(at, 'kept')).toBe(30);
  });

  it('is an exposure like any other, with the unit of now', async () => {
    const at = await world();
    const jar = new Jar().set('sid', 'a');
    await jar.fetch(at);
    await jar.set('sid', 'b').fetch(at);
    expect(at.plane.exposures.map(({ reason, unit, unitSource }) => [reason, unit, unitSource])).toEqual([
      ['split', 'a', 'cookie sid'],
      ['sticky', 'b', 'cookie sid'],
    ]);
  });

  it('goes upstream like any other', async () => {
    const at = await world();
    const jar = new Jar().set('sid', 'a');
    const first = variant(await jar.fetch(at));
    await jar.set('sid', 'b').fetch(at);
    const values = at.upstream.requests.map((request) => field(request, 'x-experiment'));
    expect(values).toEqual([`ranking=${first}`, `ranking=${first}`]);
  });

  it('is given out again when half of its time is over, and ends when all of it is', async () => {
    const at = await world();
    const jar = new Jar().set('sid', 'a');
    const first = await jar.fetch(at);
    at.clock.atMs += 15 * DAY_MS - 1000;
    expect(reason(await jar.fetch(at))).toBe('sticky');
    expect(jar.given).toEqual([]);
    at.clock.atMs += 1000;
    expect(variant(await jar.fetch(at))).toBe(variant(first));
    expect(jar.given).toHaveLength(1);
    at.clock.atMs += 30 * DAY_MS;
    expect(reason(await jar.fetch(at))).toBe('split');
    expect(jar.given).toHaveLength(1);
    expect(await counted(at, 'expired')).toBe(1);
  });

  it('is dealt anew below the minimal bucket version, and not before', async () => {
    const at = await world();
    const jar = new Jar().set('sid', 'a');
    await jar.fetch(at);
    at.reload({ sticky: { bucketVersion: 2 } });
    expect(reason(await jar.fetch(at))).toBe('sticky');
    at.reload({ sticky: { bucketVersion: 2, minBucketVersion: 2 } });
    expect(reason(await jar.fetch(at))).toBe('split');
    expect(reason(await jar.fetch(at))).toBe('sticky');
    expect(await counted(at, 'old-version')).toBe(1);
  });

  it('does not hold when the variant is gone or has no weight', async () => {
    const at = await world({ variants: { control: {}, candidate: { weight: '100%' } } });
    const jar = new Jar().set('sid', 'a');
    expect(variant(await jar.fetch(at))).toBe('candidate');
    at.reload({ variants: { control: {}, candidate: { weight: '0%' } } });
    expect([variant(await jar.fetch(at)), jar.given.length]).toEqual(['control', 1]);
    expect(await counted(at, 'no-weight')).toBe(1);
    at.reload({ variants: { control: {}, other: { weight: '100%' } } });
    expect(variant(await jar.fetch(at))).toBe('other');
  });

  it('is kept on a ramp down and a ramp up, unlike what the split would say', async () => {
    const at = await world({ variants: { control: {}, candidate: { weight: '100%' } } });
    const jar = new Jar().set('sid', 'a');
    await jar.fetch(at);
    at.reload({ variants: { control: {}, candidate: { weight: '0.0001%' } } });
    expect(variant(await jar.fetch(at))).toBe('candidate');
  });
});

describe('what goes before it', () => {
  async function holder(): Promise<{ at: World; jar: Jar }> {
    const at = await world({ variants: { control: {}, candidate: { weight: '100%' } } });
    const jar = new Jar().set('sid', 'a');
    expect(variant(await jar.fetch(at))).toBe('candidate');
    return { at, jar };
  }

  it.each([
    ['killed', { status: 'killed' }, 'killed'],
    ['paused', { status: 'paused' }, 'off'],
    ['ended', { startsAt: '2020-01-01T00:00:00Z', endsAt: '2021-01-01T00:00:00Z' }, 'ended'],
  ])('%s', async (_name, changed, expected) => {
    const { at, jar } = await holder();
    at.reload(changed);
    const message = await jar.fetch(at);
    expect([variant(message), reason(message), jar.given]).toEqual(['control', expected, []]);
  });

  it('a holdout', async () => {
    const { at, jar } = await holder();
    at.reload({}, { holdout: { share: '100%' } });
    const message = await jar.fetch(at);
    expect([variant(message), reason(message)]).toEqual(['control', 'holdout']);
  });

  it('an override, and it does not become sticky', async () => {
    const { at, jar } = await holder();
    const message = await jar.fetch(at, '/', 'x-experiment-override: ranking=control\r\n');
    expect([variant(message), reason(message), jar.given]).toEqual(['control', 'override', []]);
    expect(reason(await jar.fetch(at))).toBe('sticky');
  });

  it('what the caller carries, which is not given out either: the edge has', async () => {
    const at = await world();
    const jar = new Jar().set('sid', 'a');
    const message = await jar.fetch(at, '/', 'x-experiment: ranking=candidate\r\n');
    expect([reason(message), jar.given]).toEqual(['propagated', []]);
  });

  it('not the targeting: who is in stays in', async () => {
    const { at, jar } = await holder();
    at.reload({ targeting: [{ header: 'x-plan', equals: 'gold' }] });
    expect(reason(await jar.fetch(at))).toBe('sticky');
    expect(reason(await new Jar().set('sid', 'b').fetch(at))).toBe('not-targeted');
  });

  it('nor a unit that is absent', async () => {
    const { at, jar } = await holder();
    const fresh = new Jar().set('fairlead_sticky', jar.get('fairlead_sticky')!);
    expect(reason(await fresh.fetch(at))).toBe('sticky');
  });
});

describe('what is not ours', () => {
  it.each([
    ['nonsense', 'nonsense', 'malformed'],
    ['a key that is not known', `1:k9:${'A'.repeat(43)}:ranking:candidate:1:abc`, 'unknown-key'],
    ['a wrong signature', `1:k1:${'A'.repeat(43)}:ranking:candidate:1:abc`, 'forged'],
  ])('is ignored and counted: %s', async (_name, value, result) => {
    const at = await world();
    const jar = new Jar().set('sid', 'a').set('fairlead_sticky', value);
    expect(reason(await jar.fetch(at))).toBe('split');
    expect(jar.given).toHaveLength(1);
    expect(await counted(at, result)).toBe(1);
    expect(reason(await jar.fetch(at))).toBe('sticky');
  });

  it('a variant that the client put in is ignored', async () => {
    const at = await world({ variants: { control: { weight: '100%' }, candidate: { weight: '0.0000%' } } });
    const jar = new Jar().set('sid', 'a');
    await jar.fetch(at);
    jar.set('fairlead_sticky', jar.get('fairlead_sticky')!.replace(':control:', ':candidate:'));
    expect(variant(await jar.fetch(at))).toBe('control');
    expect(await counted(at, 'forged')).toBe(1);
  });

  it('that of another experiment says nothing about this one, and is kept beside it', async () => {
    const both = {
      routes: [
        { name: 'all', match: { path: '/*' }, upstream: 'app', experiments: ['ranking'] },
        { name: 'other', match: { path: '/other' }, upstream: 'app', experiments: ['search'] },
      ],
    };
    const search = { unit: [{ cookie: 'sid' }], sticky: { ttl: '60d' }, variants: SPLIT };
    const at = await world();
    const experiments = {
      ranking: { unit: [{ cookie: 'sid' }], sticky: { ttl: '30d' }, variants: SPLIT },
      search,
    };
    at.reload({}, { ...both, experiments });
    const jar = new Jar().set('sid', 'a');
    const found = field(await jar.fetch(at, '/other'), 'x-fairlead-variant');
    expect(parseSetCookie(jar.given[0]!).maxAge).toBe(60 * 86_400);
    expect(reason(await jar.fetch(at))).toBe('split');
    expect(await counted(at, 'other')).toBe(1);
    expect(jar.get('fairlead_sticky')).toContain('search:');
    expect(reason(await jar.set('sid', 'b').fetch(at))).toBe('sticky');
    const again = await jar.fetch(at, '/other');
    expect(field(again, 'x-fairlead-variant')).toBe(found);
    expect(field(again, 'x-experiment-reason')).toBe('search=sticky');
  });
});

describe('keys', () => {
  it('are rotated without anybody losing a variant', async () => {
    const at = await world();
    const jars = Array.from({ length: 20 }, (_, user) => new Jar().set('sid', `user-${user}`));
    const first: string[] = [];
    for (const jar of jars) first.push(variant(await jar.fetch(at)));
    const again = async (user: number) => {
      const message = await jars[user]!.set('sid', `other-${user}-${Math.random()}`).fetch(at);
      expect([variant(message), reason(message)]).toEqual([first[user], 'sticky']);
    };
    // The new key signs, the old one still counts: who comes back is given it anew.
    at.reload({}, { stickyKeys: [KEY_2, KEY_1] });
    for (let user = 0; user < 20; user++) await again(user);
    expect(jars.every((jar) => jar.get('fairlead_sticky')!.startsWith('1:k2:'))).toBe(true);
    at.reload({}, { stickyKeys: [KEY_2] });
    for (let user = 0; user < 20; user++) await again(user);
  });

  it('that are gone are counted, and their assignments dealt anew', async () => {
    const at = await world();
    const jar = new Jar().set('sid', 'a');
    await jar.fetch(at);
    at.reload({}, { stickyKeys: [KEY_2] });
    expect(reason(await jar.fetch(at))).toBe('split');
    expect(await counted(at, 'unknown-key')).toBe(1);
  });
});

describe('the response', () => {
  it('is for the client alone when it gives something out, and as it was when not', async () => {
    const at = await world();
    const jar = new Jar().set('sid', 'a');
    const cacheControl = async (fields: string) => {
      at.answerWith(ok('ok', fields));
      const message = await jar.set('fairlead_sticky', '').fetch(at);
      expect(jar.given).toHaveLength(1);
      return field(message, 'cache-control');
    };
    expect(await cacheControl('')).toBe('private');
    expect(await cacheControl('Cache-Control: public, max-age=60\r\n')).toBe('public, max-age=60, private');
    expect(await cacheControl('Cache-Control: no-store\r\n')).toBe('no-store');
    expect(await cacheControl('Cache-Control: private, max-age=5\r\n')).toBe('private, max-age=5');
    at.answerWith(ok('ok', 'Cache-Control: public, max-age=60\r\n'));
    expect(field(await jar.fetch(at), 'cache-control')).toBe('public, max-age=60');
  });

  it('keeps the cookies of the upstream', async () => {
    const at = await world();
    at.answerWith(ok('ok', 'Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n'));
    const jar = new Jar().set('sid', 'a');
    await jar.fetch(at);
    expect(jar.given.map((text) => text.split('=')[0])).toEqual(['a', 'b', 'fairlead_sticky']);
  });

  it('304 gives nothing out, since caches update what they have by it; the next one does', async () => {
    const at = await world();
    at.answerWith('HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n');
    const jar = new Jar().set('sid', 'a');
    await jar.fetch(at);
    expect(jar.given).toEqual([]);
    at.answerWith(ok());
    await jar.fetch(at);
    expect(jar.given).toHaveLength(1);
  });

  it('to HEAD, one in chunks and an error of the upstream give it out', async () => {
    const at = await world();
    const jar = new Jar().set('sid', 'a');
    at.answerWith('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n');
    expect((await jar.fetch(at)).body).toBe('ok');
    expect(jar.given).toHaveLength(1);
    at.answerWith('HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n');
    await jar.set('fairlead_sticky', '').fetch(at);
    expect(jar.given).toHaveLength(1);
    at.answerWith('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n');
    at.client.send('HEAD / HTTP/1.1\r\nHost: test\r\nCookie: sid=a\r\n\r\n');
    expect(field(await answer(at.client, { isBodiless: true }), 'set-cookie')).toMatch(
      /^fairlead_sticky=1:k1:/,
    );
  });

  it('of ours gives nothing out: nobody has seen the variant', async () => {
    const at = await world();
    at.upstream.close();
    const jar = new Jar().set('sid', 'a');
    expect((await jar.fetch(at)).status).toBe(502);
    expect(jar.given).toEqual([]);
  });

  it('100 Continue and 103 give nothing out, the final one does, once', async () => {
    const at = await world();
    at.answerWith(`HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n${ok()}`);
    const jar = new Jar().set('sid', 'a');
    const early = await jar.fetch(at);
    expect([early.status, jar.given]).toEqual([103, []]);
    expect(field(await answer(at.client), 'set-cookie')).toMatch(/^fairlead_sticky=/);
  });

  it('after a retry has it once', async () => {
    const at = await world();
    const jar = new Jar().set('sid', 'a');
    await jar.fetch(at);
    // The pooled connection dies under the next request.
    const [socket] = at.upstream.sockets;
    socket!.removeAllListeners('data');
    socket!.once('data', () => socket!.destroy());
    const message = await jar.set('fairlead_sticky', '').fetch(at);
    expect([message.status, jar.given.length, at.upstream.sockets.length]).toEqual([200, 1, 2]);
  });
});

describe('a client without cookies', () => {
  it('sends back the header that it was given', async () => {
    const at = await world({ unit: [{ header: 'x-user-id' }], sticky: { header: 'X-Sticky' } });
    const fetch = async (user: string, sticky: string | null) => {
      const line = sticky === null ? '' : `x-sticky: ${sticky}\r\n`;
      at.client.send(get('/', `x-user-id: ${user}\r\n${line}x-experiment-explain: 1\r\n`));
      return answer(at.client);
    };
    const first = await fetch('a', null);
    const given = field(first, 'x-sticky');
    expect(given).toMatch(/^1:k1:/);
    expect([field(first, 'set-cookie'), field(first, 'vary')!.includes('x-sticky')]).toEqual([null, true]);
    const second = await fetch('b', given);
    expect([variant(second), reason(second), field(second, 'x-sticky')]).toEqual([
      variant(first),
      'sticky',
      null,
    ]);
  });
});

it('what was given out under one name is worth nothing under another', async () => {
  const at = await world({ sticky: { cookie: 'one' } });
  const jar = new Jar().set('sid', 'a');
  await jar.fetch(at);
  at.reload({ sticky: { cookie: 'other' } });
  expect(reason(await jar.set('other', jar.get('one')!).fetch(at))).toBe('split');
  expect(await counted(at, 'forged')).toBe(1);
});

it('a cookie that would be too large leaves out the oldest, and browsers take what is left', async () => {
  const names = Array.from({ length: 90 }, (_, index) => `experiment-${'x'.repeat(40)}-${index}`);
  const experiments = Object.fromEntries(
    names.map((name) => [name, { unit: [{ cookie: 'sid' }], sticky: {}, variants: SPLIT }]),
  );
  const routes = names.map((name, index) => ({
    name: `r${index}`,
    match: { path: `/${index}` },
    upstream: 'app',
    experiments: [name],
  }));
  const at = await world({}, { experiments, routes });
  const jar = new Jar().set('sid', 'a');
  for (let index = 0; index < 90; index++) {
    at.clock.atMs += 1000;
    await jar.fetch(at, `/${index}`);
    expect(jar.given[0]!.length).toBeLessThanOrEqual(4096);
  }
  const kept = jar.get('fairlead_sticky')!;
  expect([kept.includes(`${names[89]}:`), kept.includes(`${names[0]}:`)]).toEqual([true, false]);
});

it('the calls of a service are not given anything', async () => {
  const direction = 'outbound';
  const at = await world(
    {},
    {
      listeners: [{ name: 'calls', address: '127.0.0.1:0', direction }],
      routes: [{ name: 'all', direction, match: { path: '/*' }, upstream: 'app', experiments: ['ranking'] }],
    },
  );
  const jar = new Jar().set('sid', 'a');
  expect([reason(await jar.fetch(at)), jar.given]).toEqual(['split', []]);
});
