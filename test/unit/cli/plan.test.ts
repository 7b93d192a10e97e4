/** `fairlead plan`: the shares that it computes are those of units that are decided, and nothing is left out. */
import { describe, expect, test } from 'vitest';
import { type Plan, planOf } from '../../../src/cli/plan-changes.ts';
import { exactMoves, type Move } from '../../../src/cli/plan-moves.ts';
import { compareUnits } from '../../../src/cli/plan-traffic.ts';
import { unitOf } from '../../../src/cli/simulate-units.ts';
import { configHash } from '../../../src/config/hash.ts';
import { EMPTY_RUNTIME } from '../../../src/config/runtime.ts';
import { experimentSentence } from '../../../src/control/changes.ts';
import { rememberSlots } from '../../../src/control/runtime-changes.ts';
import { configOf, snapshotOf } from '../../support/config.ts';
import { HEAD, RANKING, shop } from '../../support/shop.ts';

function plan(before: string, after: string, ids: readonly string[] | null = null): Plan {
  const [old, next] = [configOf(before), configOf(after)];
  return planOf(
    { config: old, runtime: EMPTY_RUNTIME, hash: configHash(old) },
    { config: next, hash: configHash(next) },
    { units: 20_000, ids, wallMs: Date.UTC(2026, 0, 15) },
  );
}

const rounded = (moves: readonly Move[]) =>
  moves.map(({ from, to, share }) => `${from ?? '-'} -> ${to ?? '-'} ${Math.round(share * 1e6)}`);
const movesOf = (before: string, after: string) =>
  plan(shop(before), shop(after)).experiments.map(({ moves, isExact }) => [isExact, ...rounded(moves)]);

describe('who moves', () => {
  test('in a ramp: exactly those that the candidate gains, and nobody between treatments', () => {
    expect(movesOf(RANKING, RANKING.replace('10%', '25%'))).toEqual([[true, 'control -> candidate 150000']]);
    const three = 'x: { variants: { control: {}, a: { weight: 5% }, b: { weight: 5% } } }';
    expect(movesOf(three, three.replaceAll('5%', '10%'))).toEqual([
      [true, 'control -> a 50000', 'control -> b 50000'],
    ]);
  });

  test('with a gate: those beside it come in, in the shares of the variants', () => {
    expect(movesOf(RANKING.replace(': {', ': { traffic: 50%,'), RANKING)).toEqual([
      [true, '- -> candidate 50000', '- -> control 450000'],
    ]);
  });

  test('out of a range of a layer and into another: both, and nobody in the common part', () => {
    const at = (range: string) =>
      `x: { layer: ui, range: ${range}, variants: { control: {}, a: { weight: 50% } } }`;
    expect(movesOf(at('0%-50%'), at('40%-60%'))).toEqual([
      [true, 'a -> - 200000', 'control -> - 200000', '- -> a 50000', '- -> control 50000'],
    ]);
  });

  test('with another salt: everyone is dealt anew', () => {
    const [moves, ...others] = plan(
      shop(RANKING),
      shop(RANKING.replace(': {', ': { salt: other,')),
    ).experiments;
    expect(others).toEqual([]);
    expect(rounded(moves!.moves)).toEqual(['candidate -> control 90000', 'control -> candidate 90000']);
    expect([moves!.settings, moves!.notes]).toEqual([['salt'], ['another salt: everyone is dealt anew']]);
  });

  test.each([
    ['killed', ['candidate -> - 100000', 'control -> - 900000']],
    ['paused', ['candidate -> - 100000', 'control -> - 900000']],
    ['concluded, winner: candidate', ['control -> candidate 900000']],
  ])('when it is %s', (status, expected) => {
    const [one] = plan(shop(RANKING), shop(RANKING.replace(': {', `: { status: ${status},`))).experiments;
    expect(rounded(one!.moves)).toEqual(expect.arrayContaining(expected));
    expect(one!.moves).toHaveLength(expected.length);
  });

  test('when its dates begin or end: as of now', () => {
    const dated = (dates: string) => RANKING.replace(': {', `: { ${dates},`);
    expect(movesOf(dated('startsAt: 2026-02-01T00:00:00Z'), dated('startsAt: 2026-01-01T00:00:00Z'))).toEqual(
      [[true, '- -> candidate 100000', '- -> control 900000']],
    );
    const ended = 'endsAt: 2026-01-10T00:00:00Z, onExpiry: winner, winner: candidate';
    expect(movesOf(RANKING, dated(ended))).toEqual([[true, 'control -> candidate 900000']]);
  });

  test('by another algorithm: found with units, and said to be', () => {
    const old = 'x: { algorithm: { name: flagd2 }, variants: { control: {}, a: { weight: 10% } } }';
    const [one] = plan(shop(old), shop(old.replace('10%', '20%'))).experiments;
    expect(one!.isExact).toBe(false);
    expect(one!.moves.map(({ from, to }) => [from, to])).toEqual([['control', 'a']]);
    expect(one!.moves[0]!.share).toBeCloseTo(0.1, 1);
  });

  test('is what units do that are decided one by one', () => {
    const before = shop(
      'x: { layer: ui, range: 0%-70%, traffic: 60%, variants: { control: {}, a: { weight: 20% }, b: { weight: 30% } } }',
    ).replace('layers:', 'holdout: { share: 10% }\nlayers:');
    const after = shop(
      'x: { layer: ui, range: 30%-90%, traffic: 80%, variants: { control: {}, a: { weight: 50% }, b: { weight: 10% } } }',
    ).replace('layers:', 'holdout: { share: 4% }\nlayers:');
    const [left, right] = [snapshotOf(before), snapshotOf(after)];
    const units = 200_000;
    const counted = compareUnits(left, right, {
      units: Array.from({ length: units }, (_, index) => unitOf(index)),
      wallMs: 0,
      names: new Set(['x']),
    }).moves.get('x')!;
    const exact = exactMoves(left.experiments.get('x')!, right.experiments.get('x')!, 0)!;
    expect(exact).toHaveLength(counted.length);
    for (const { from, to, share } of exact) {
      const found = counted.find((move) => move.from === from && move.to === to)!.share;
      // Five standard deviations of a share of so many units.
      expect(Math.abs(found - share)).toBeLessThan(5 * Math.sqrt((share * (1 - share)) / units));
    }
  });

  test('is counted in the ids that are given', () => {
    const ids = Array.from({ length: 40 }, (_, index) => `user-${index}`);
    const { experiments, units } = plan(shop(RANKING), shop(RANKING.replace('10%', '60%')), ids);
    expect([units, experiments[0]!.isExact]).toEqual([40, false]);
    expect((experiments[0]!.moves[0]!.share * 40) % 1).toBe(0);
  });
});

describe('a sidecar that starts anew', () => {
  const arms = (...names: string[]) =>
    `x: { variants: { control: {}, ${names.map((name) => `${name}: { weight: 5% }`).join(', ')} } }`;
  const differing = (before: string, after: string) =>
    plan(shop(before), shop(after)).experiments.map(({ freshDiffers }) => freshDiffers);

  test('deals otherwise when arms were added or taken away, as units say that are decided one by one', () => {
    const [before, after] = [shop(arms('a', 'b')), shop(arms('a', 'b', 'c'))];
    const [one] = plan(before, after).experiments;
    expect(rounded(one!.moves)).toEqual(['control -> c 50000']);
    const known = rememberSlots(EMPTY_RUNTIME, snapshotOf(before));
    const units = 50_000;
    const { moves } = compareUnits(snapshotOf(after, known), snapshotOf(after), {
      units: Array.from({ length: units }, (_, index) => unitOf(index)),
      wallMs: 0,
      names: new Set(['x']),
    });
    const counted = moves.get('x')!.reduce((sum, { share }) => sum + share, 0);
    // Five standard deviations.
    expect(Math.abs(counted - one!.freshDiffers)).toBeLessThan(5 * Math.sqrt(0.1 / units));
    expect(one!.freshDiffers).toBe(0.1);
    expect(differing(arms('a', 'b', 'c'), arms('a', 'b'))[0]).toBeGreaterThan(0);
  });

  test('deals alike after a ramp, another order, or with another salt', () => {
    const salted = arms('a', 'b', 'c').replace(': {', ': { salt: second,');
    for (const after of [arms('a', 'b').replace('5%', '20%'), arms('b', 'a'), arms('a'), salted])
      expect([after, differing(arms('a', 'b'), after)]).toEqual([after, [0]]);
  });

  test('has nothing to do with slots where another system deals', () => {
    const foreign = (...names: string[]) => arms(...names).replace(': {', ': { algorithm: unleash,');
    expect(differing(foreign('a', 'b'), foreign('a', 'b', 'c'))).toEqual([0]);
  });
});

describe('a plan', () => {
  test('of the same file with other comments has no changes', () => {
    const { isChanged, experiments, settings } = plan(shop(RANKING), `# a comment\n${shop(RANKING)}`);
    expect([isChanged, experiments, settings]).toEqual([false, [], []]);
  });

  test('does not compare secrets, nor whether they are given', () => {
    const text = `${shop(RANKING)}exposures: { key: pepper }\nadmin: { token: hush }\n`;
    for (const other of [text.replace('hush', 'hush-hush'), shop(RANKING)]) {
      expect(plan(text, other).isChanged).toBe(false);
      expect(plan(other, text).isChanged).toBe(false);
    }
  });

  test('says who keeps a variant all the same', () => {
    const sticky = RANKING.replace(': {', ': { sticky: { cookie: keep },');
    const keyed = (text: string) =>
      `${shop(text)}stickyKeys: [{ id: k, key: "0123456789abcdef0123456789abcdef" }]\n`;
    const paused = sticky.replace('{ sticky', '{ status: paused, sticky');
    expect(plan(keyed(sticky), keyed(paused)).experiments[0]!.notes).toEqual([
      'it is sticky: clients that were given a variant keep it',
      'paused: requests that carry a variant keep it',
    ]);
  });

  test('says of every experiment what was changed around it', () => {
    const one = (share: string) => `holdout: { share: ${share} }\n`;
    const layer = (share: string) => `layers: { ui: { holdout: ${share} } }`;
    const experiments = [
      RANKING,
      'x: { layer: ui, range: 0%-50%, variants: { control: {}, a: { weight: 5% } } }',
    ];
    const text = shop(...experiments);
    const next = (of: string, all: string) => `${text.replace('layers: { ui: {} }', layer(of))}${one(all)}`;
    const said = (after: string) =>
      plan(next('2%', '5%'), after).experiments.map((changed) => [experimentSentence(changed)]);
    expect(said(next('2%', '6%'))).toEqual([['changed ranking: holdout'], ['changed x: holdout']]);
    expect(said(next('3%', '5%'))).toEqual([['changed x: holdout of layer ui']]);
    expect(said(next('2%, salt: s', '5%'))).toEqual([['changed x: holdout of layer ui, salt of layer ui']]);
  });

  test('says of the order of keys where it decides, and where it does not', () => {
    const [a, b] = ['a', 'b'].map((name) => `${name}: { variants: { control: {}, t: { weight: 5% } } }`);
    const without = (text: string) => text.replace(/^routes: .*$/m, '').replace(/, v2: .*}/, ' }');
    const orders = [shop(a!, b!), shop(b!, a!)].map(without);
    expect(plan(orders[0]!, orders[1]!).settings).toEqual(['order of experiments']);
    const turned = RANKING.replace('control: {}, candidate: { weight: 10%, upstream: v2 }', 'XX');
    const variants = ['control: { weight: 50% }', 'candidate: { weight: 50%, upstream: v2 }'];
    const sides = [variants, variants.toReversed()].map((list) => turned.replace('XX', list.join(', ')));
    expect(plan(shop(sides[0]!), shop(sides[1]!)).experiments).toMatchObject([
      { settings: ['order of variants'], moves: [], notes: [], freshDiffers: 0 },
    ]);
    const foreign = sides.map((side) => shop(side.replace(': {', ': { algorithm: growthbook2,')));
    const [one] = plan(foreign[0]!, foreign[1]!).experiments;
    expect(one!.notes).toEqual(['another order of variants: another epoch, as its algorithm may deal by it']);
    expect(one!.moves.reduce((sum, { share }) => sum + share, 0)).toBe(1);
  });

  test('tells what is added, removed and set otherwise', () => {
    const banner = 'banner: { variants: { control: {}, a: { weight: 50% } } }';
    const { experiments, settings, restartNeeded } = plan(
      shop(RANKING),
      `${shop(banner)}workers: 2\ntimeouts: { idle: 3s }\n`,
    );
    expect(experiments.map(({ name, change, before, after }) => [name, change, before, after])).toEqual([
      ['ranking', 'removed', 'running, control 90%, candidate 10%', null],
      ['banner', 'added', null, 'running, control 50%, a 50%'],
    ]);
    expect(settings.toSorted()).toEqual(['routes', 'timeouts', 'workers']);
    expect(restartNeeded).toEqual(['workers']);
  });

  test('tells of a setting that moves nobody', () => {
    const { isChanged, experiments } = plan(
      shop(RANKING),
      shop(RANKING.replace(': {', ': { owner: a-team, targeting: [{ header: x-a, equals: b }],')),
    );
    expect(isChanged).toBe(true);
    expect(experiments).toMatchObject([
      {
        change: 'changed',
        settings: ['targeting', 'owner'],
        moves: [],
        notes: ['other targeting: the moves are those of units that both take'],
      },
    ]);
  });

  test('has the shares of upstreams, by the experiment that is asked first', () => {
    const second = 'second: { variants: { control: {}, b: { weight: 50%, upstream: v3 } } }';
    const { upstreams, conflicts } = plan(shop(RANKING), shop(RANKING, second));
    expect(conflicts).toEqual([{ route: 'all', experiments: ['ranking', 'second'], isNew: true }]);
    const share = (name: string) => upstreams.find(({ upstream }) => upstream === name)!;
    expect(share('v2').before).toBe(share('v2').after);
    expect(share('v3').before).toBe(0);
    expect(share('v3').after).toBeCloseTo(0.45, 2);
    expect(upstreams.reduce((sum, { after }) => sum + after, 0)).toBeCloseTo(1, 12);
  });

  test('has a route that goes elsewhere, though no experiment is on it', () => {
    const text = (upstream: string) => `${HEAD}routes: [{ name: plain, upstream: ${upstream} }]\n`;
    expect(plan(text('v1'), text('v2')).upstreams).toMatchObject([
      { route: 'plain', upstream: 'v1', before: 1, after: 0 },
      { route: 'plain', upstream: 'v2', before: 0, after: 1 },
    ]);
  });

  test('names protected routes that it touches, and no others', () => {
    const approved = RANKING.replace(': {', ': { allowProtected: { approvedBy: ann, reason: agreed },');
    const guarded = (text: string) => `${shop(text)}protect: [all]\n`;
    expect(plan(guarded(approved), guarded(approved.replace('10%', '20%'))).protectedRoutes).toEqual([
      { route: 'all', experiments: ['ranking'] },
    ]);
    expect(plan(guarded(approved), `${guarded(approved)}service: shop\n`).protectedRoutes).toEqual([]);
  });
});
