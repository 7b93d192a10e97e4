/** Sticky assignments over real sockets: kept when the id changes, ended, rotated; what goes before, what is not ours. */
import { parseSetCookie } from 'cookie';
import { describe, expect, it } from 'vitest';
import { field } from '../support/message.ts';
import {
  counted,
  DAY_MS,
  Jar,
  KEY_1,
  KEY_2,
  reason,
  SPLIT,
  useStickyWorlds,
  variant,
  type World,
  world,
} from '../support/sticky.ts';

useStickyWorlds();

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

  it('keeps the bucket version of its draw when it is given out again', async () => {
    const at = await world();
    const jar = new Jar().set('sid', 'a');
    await jar.fetch(at);
    at.reload({ sticky: { bucketVersion: 2 } });
    at.clock.atMs += 16 * DAY_MS;
    expect([reason(await jar.fetch(at)), jar.given.length]).toEqual(['sticky', 1]);
    at.reload({ sticky: { bucketVersion: 2, minBucketVersion: 2 } });
    expect(reason(await jar.fetch(at))).toBe('split');
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

describe('an experiment that others require', () => {
  const SETTINGS = {
    routes: [{ name: 'all', upstream: 'app', experiments: ['ranking'] }],
    experiments: {
      ranking: {
        unit: [{ cookie: 'sid' }],
        requires: [{ experiment: 'gate', variant: 'candidate' }],
        sticky: { ttl: '30d' },
        variants: { control: { weight: '0%' }, candidate: { weight: '100%' } },
      },
      gate: { unit: [{ cookie: 'sid' }], sticky: { ttl: '30d' }, variants: SPLIT },
    },
  };

  it('is given out with them, although it is not on the route: both are kept when the id changes', async () => {
    const at = await world({}, SETTINGS);
    const seen = new Set<string>();
    for (let visitor = 0; visitor < 8; visitor++) {
      const jar = new Jar().set('sid', `visitor-${visitor}`);
      const first = variant(await jar.fetch(at));
      seen.add(first);
      expect(jar.get('fairlead_sticky')).toMatch(`gate:${first}:`);
      for (let user = 0; user < 8; user++) {
        const message = await jar.set('sid', `user-${visitor}-${user}`).fetch(at);
        expect([variant(message), jar.given]).toEqual([first, []]);
      }
    }
    expect([...seen].sort()).toEqual(['candidate', 'control']);
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

it('what was given out under one name is worth nothing under another, remembered or not', async () => {
  const unit = [{ cookie: 'sid' }];
  const variants = { control: {}, candidate: { weight: '100%' } };
  const at = await world(
    {},
    {
      routes: [
        { name: 'one', match: { path: '/*' }, upstream: 'app', experiments: ['ranking'] },
        { name: 'two', match: { path: '/two' }, upstream: 'app', experiments: ['ranking', 'search'] },
      ],
      experiments: {
        ranking: { unit, variants, sticky: { cookie: 'one' } },
        search: { unit, variants, sticky: { cookie: 'other' } },
      },
    },
  );
  const jar = new Jar().set('sid', 'a');
  await jar.fetch(at);
  const reasons = async () => field(await jar.fetch(at, '/two'), 'x-experiment-reason');
  jar.set('other', jar.get('one')!);
  expect(await reasons()).toMatch(/^ranking=sticky, search=split:/);
  expect(await at.plane.plane.metrics.render()).toContain('{experiment="search",result="forged"} 1');
  expect(await reasons()).toBe('ranking=sticky, search=sticky');
});
