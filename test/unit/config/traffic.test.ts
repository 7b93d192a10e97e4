import { describe, expect, test } from 'vitest';
import { configOf, issuesOf, minimal, snapshotOf, withExperiment } from '../../support/config.ts';

const withRoute = (cache: string, ...experiment: string[]) =>
  `${withExperiment(...experiment)}routes: [{ name: all, experiments: [ranking], cache: ${cache} }]\n`;

/** Without what is said of experiments that lack their paper work. */
function mistakes(text: string): string[] {
  return issuesOf(text).filter((issue) => !/owner|hypothesis|successCriteria|rollbackPlan/.test(issue));
}

describe('classify', () => {
  test('has the known health checks on, and all else off, unless told otherwise', () => {
    expect(configOf(minimal()).classify).toEqual({
      healthChecks: { known: true, userAgents: [], paths: [] },
      bots: { known: false, userAgents: [] },
    });
    expect(snapshotOf(minimal()).classifier).not.toBeNull();
    expect(snapshotOf(minimal('classify: { healthChecks: { known: false } }')).classifier).toBeNull();
  });

  test('says which pattern is none, and what a path is', () => {
    expect(mistakes(minimal('classify: { bots: { userAgents: ["(?=x)"] } }'))).toEqual([
      expect.stringMatching(/^3:.*classify\.bots\.userAgents.*pattern is not RE2: /),
    ]);
    expect(mistakes(minimal('classify: { bots: { userAgents: [")("] } }'))).toHaveLength(1);
    expect(mistakes(minimal('classify: { healthChecks: { paths: [healthz] } }'))).toEqual([
      expect.stringContaining('expected a path such as /healthz'),
    ]);
    expect(mistakes(minimal('classify: { healthChecks: { paths: ["/a*b"] } }'))).toHaveLength(1);
    expect(mistakes(minimal('classify: { healthChecks: { paths: ["/*", /a, "/a/*"] } }'))).toEqual([]);
  });

  test('takes a variant that is there for what is excluded', () => {
    expect(mistakes(withExperiment('excludedVariant: candidte'))).toEqual([
      expect.stringMatching(/excludedVariant.*there is no variant "candidte".*did you mean "?candidate/),
    ]);
    expect(snapshotOf(withExperiment()).experiments.get('ranking')?.excludedVariant.name).toBe('control');
    expect(
      snapshotOf(withExperiment('excludedVariant: candidate')).experiments.get('ranking')?.excludedVariant
        .name,
    ).toBe('candidate');
  });
});

describe('the Vary of a route', () => {
  const varyOf = (text: string) => snapshotOf(text).routes.inbound.all[0]?.cache.vary ?? null;

  test('names what excludes, what brings routing keys, and what holds the token of a claim', () => {
    const text = withExperiment(
      'unit: [{ claim: /sub }]',
      'routingKeys: [{ kind: header, name: X-Dev, map: { a: candidate } }]',
    );
    const more =
      'classify: { synthetic: { header: X-Synthetic } }\nidentity: { jwt: { jwksFile: keys.json } }\n';
    expect(varyOf(text + more)?.split(', ')).toEqual(
      expect.arrayContaining(['x-dev', 'x-synthetic', 'authorization']),
    );
  });

  test('is off, or a list, as it is written', () => {
    expect(varyOf(withRoute('{ vary: off }'))).toBe(null);
    expect(varyOf(withRoute('{ vary: [X-Key, accept] }'))).toBe('x-key, accept');
    expect(mistakes(withRoute('{ vary: [] }'))).toHaveLength(1);
  });

  test('is of what the experiments of the route require as well', () => {
    const text = minimal(
      'experiments:',
      '  first: { unit: [{ header: x-account }], variants: { control: {}, candidate: { weight: 10% } } }',
      '  second: { requires: [{ experiment: first, variant: candidate }], variants: { control: {}, candidate: { weight: 10% } } }',
      'routes: [{ name: all, experiments: [second] }, { name: other, match: { path: /other }, experiments: [first] }]',
    );
    expect(varyOf(text)?.split(', ')).toContain('x-account');
  });
});

describe('headers that we write', () => {
  test.each([
    ['cookie'],
    ['host'],
    ['x-forwarded-for'],
    ['x-request-id'],
    ['x-fairlead-variant'],
    ['x-experiment'],
  ])('cannot be %s', (name) => {
    expect(mistakes(withRoute(`{ keyHint: ${name} }`))).toHaveLength(1);
    expect(mistakes(withExperiment(`bucketHeader: ${name}`))).toHaveLength(1);
  });

  test('are of one owner each, but routes may share their hint', () => {
    expect(mistakes(withRoute('{ keyHint: x-key }', 'bucketHeader: x-key'))).toEqual([
      expect.stringContaining('the header x-key is used by the experiment "ranking" already'),
    ]);
    const two =
      'routes: [{ name: a, experiments: [ranking], cache: { keyHint: x-key } }, { name: b, match: { path: /b }, cache: { keyHint: x-key } }]\n';
    expect(mistakes(withExperiment() + two)).toEqual([]);
  });
});

describe('routing keys', () => {
  test('of a header or the baggage need its name, and all need keys', () => {
    expect(mistakes(withExperiment('routingKeys: [{ kind: header, map: { a: candidate } }]'))).toEqual([
      expect.stringContaining('a key in the header needs the name of it'),
    ]);
    expect(mistakes(withExperiment('routingKeys: [{ kind: okteto, map: {} }]'))).toEqual([
      expect.stringContaining('found 0 keys in map'),
    ]);
  });

  test('name variants that are there', () => {
    expect(mistakes(withExperiment('routingKeys: [{ kind: okteto, map: { alice: canddate } }]'))).toEqual([
      expect.stringMatching(/routingKeys.*there is no variant "canddate".*candidate/),
    ]);
  });
});
