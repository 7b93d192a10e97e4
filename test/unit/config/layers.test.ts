/** Layers and holdouts as configured: what is a mistake, where it stands, and what is compiled. */
import { describe, expect, test } from 'vitest';
import { issuesOf, minimal, snapshotOf } from '../../support/config.ts';

const two = '{ variants: { control: {}, candidate: { weight: 10% } }';

/** Experiments `a`, `b`, ... in a layer `search`, each with these settings. */
function inLayer(layer: string, ...settings: string[]): string {
  return minimal(
    `layers: { search: ${layer} }`,
    'experiments:',
    ...settings.map((own, index) => `  ${'abc'[index]}: ${two}, ${own} }`),
  );
}

describe('mistakes', () => {
  test.each([
    [
      'ranges that overlap',
      inLayer('{}', 'layer: search, range: 0%-40%', 'layer: search, range: [50%-60%, 30%-50%]'),
      '6:85: experiments.b.range: the experiments "a" and "b" both have 30%-40% of the layer "search"; two experiments of one layer share no unit',
    ],
    [
      'ranges of one experiment that overlap',
      inLayer('{}', 'layer: search, range: [0%-40%, 39%-50%]'),
      '5:94: experiments.a.range[1]: 39%-50% overlaps another range of the same experiment',
    ],
    [
      'a layer that is not there',
      inLayer('{}', 'layer: search, range: 0%-40%', 'layer: serch, range: 40%-50%'),
      '6:70: experiments.b.layer: there is no layer "serch"; did you mean "search"?',
    ],
    [
      'a layer without a range',
      inLayer('{}', 'layer: search'),
      '5:70: experiments.a.layer: say which part of the layer it has: range: 0%-40%',
    ],
    [
      'a range without a layer',
      minimal(`experiments: { a: ${two}, range: 0%-40% } }`),
      '3:83: experiments.a.range: a range is part of a layer; name it: layer: NAME',
    ],
    [
      'an empty range',
      inLayer('{}', 'layer: search, range: 40%-40%'),
      '5:85: experiments.a.range: "40%-40%" is empty; the first percentage must be the smaller one',
    ],
    [
      'a range that is none',
      inLayer('{}', 'layer: search, range: 40%'),
      '5:85: experiments.a.range: "40%" is not a range; write for example 0%-40%',
    ],
    [
      'units that differ',
      inLayer('{}', 'layer: search, range: 0%-40%', 'layer: search, range: 40%-50%, unit: { cookie: sid }'),
      '6:100: experiments.b.unit: the experiments "a" and "b" of the layer "search" have different units, so that one user could be in both',
    ],
    [
      'a request as the unit',
      inLayer('{}', 'layer: search, range: 0%-40%, unit: request'),
      '5:99: experiments.a.unit: in a layer the unit cannot be the request: each experiment would draw its own',
    ],
    [
      'two layers with one salt',
      minimal(
        'layers: { search: {}, price: { salt: search } }',
        'experiments:',
        `  a: ${two}, layer: search, range: 0%-1% }`,
        `  b: ${two}, layer: price, range: 0%-1% }`,
      ),
      '3:38: layers.price.salt: the layers "search" and "price" have the same salt "search", so they would deal out the same users',
    ],
    [
      'a holdout of nobody',
      minimal('holdout: { share: 0% }'),
      '3:19: holdout.share: found 0%; it must be more than 0%',
    ],
  ])('%s', (_name, text, said) => {
    expect(issuesOf(text)).toEqual([said]);
  });

  test('a layer that nobody is in is told of and stops nothing', () => {
    expect(issuesOf(minimal('layers: { search: }'))).toEqual([
      '3:11: warning: layers.search: no experiment is in this layer',
    ]);
  });

  test('ranges that touch are fine, and so are those of what is concluded', () => {
    expect(
      issuesOf(inLayer('{}', 'layer: search, range: 0%-40%', 'layer: search, range: 40% - 100%')),
    ).toEqual([]);
    const over = 'layer: search, range: 0%-40%, status: concluded, winner: candidate';
    expect(issuesOf(inLayer('{}', over, 'layer: search, range: 0%-40%'))).toEqual([]);
  });
});

describe('what is compiled', () => {
  test('an experiment has its ranges in order, the salt of the layer, and every holdout there is', () => {
    const text = inLayer('{ salt: s, holdout: 5% }', 'layer: search, range: [60%-80%, 0%-40%, 40%-50%]');
    const { experiments, layers, holdout } = snapshotOf(`${text}holdout: { share: 1% }\n`);
    expect(experiments.get('a')?.layer).toEqual({
      name: 'search',
      salt: 's',
      ranges: [
        { start: 0, end: 500_000 },
        { start: 600_000, end: 800_000 },
      ],
    });
    const everything = { kind: 'holdout', salt: 'holdout', sharePpm: 10_000 };
    const ofLayer = { kind: 'layer-holdout', salt: 's', sharePpm: 50_000 };
    expect(experiments.get('a')?.holdouts).toEqual([everything, ofLayer]);
    expect(holdout).toEqual(everything);
    expect([...layers.values()]).toEqual([{ name: 'search', salt: 's', holdout: ofLayer }]);
  });

  test('without any of it there is nothing to ask', () => {
    const experiment = snapshotOf(minimal(`experiments: { a: ${two} } }`)).experiments.get('a');
    expect([experiment?.layer, experiment?.holdouts]).toEqual([null, []]);
  });
});
