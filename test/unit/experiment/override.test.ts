import { expect, test } from 'vitest';
import { parseOverride } from '../../../src/experiment/override.ts';
import { experimentOf } from '../../support/experiment.ts';

const checkout = experimentOf({ control: 900_000, candidate: 100_000 });
const search = experimentOf({ base: 0, fast: 500_000, faster: 500_000 }, { name: 'search' });

function asked(header: string | null, cookie: string | null, experiment = checkout): string | null {
  return parseOverride(header, cookie)?.forExperiment(experiment)?.name ?? null;
}

test('the header names a variant for each experiment', () => {
  expect(asked('checkout=candidate, search=fast', null)).toBe('candidate');
  expect(asked('checkout=candidate, search=fast', null, search)).toBe('fast');
  expect(asked('search=fast', null)).toBe(null);
  expect(asked('checkout="candidate"', null)).toBe('candidate');
});

test('the cookie is the header’s twin, plain or percent-encoded', () => {
  expect(asked(null, 'checkout=candidate')).toBe('candidate');
  expect(asked(null, 'checkout%3Dcandidate%2C%20search%3Dfast', search)).toBe('fast');
  expect(asked(null, 'checkout=candidate%')).toBe(null);
});

test('the header goes before the cookie, also with always and never', () => {
  expect(asked('checkout=control', 'checkout=candidate')).toBe('control');
  expect(asked('never', 'checkout=candidate')).toBe('control');
  expect(asked('search=fast', 'checkout=candidate')).toBe('candidate');
});

test('always is the variant called candidate or else the first treatment, never is the fallback', () => {
  expect(asked('always', null)).toBe('candidate');
  expect(asked('never', null)).toBe('control');
  expect(asked('always', null, search)).toBe('fast');
  expect(asked('never', null, search)).toBe('base');
  const late = experimentOf({ other: 100_000, candidate: 100_000, old: 800_000 }, { fallbackName: 'old' });
  expect(asked('always', null, late)).toBe('candidate');
  expect(asked('never', null, late)).toBe('old');
});

test('an experiment’s own name goes before always and never', () => {
  expect(asked('always, checkout=control', null)).toBe('control');
  expect(asked('never, checkout=candidate', null)).toBe('candidate');
  expect(asked('never, checkout=candidate', null, search)).toBe('base');
});

test('an experiment may be called always', () => {
  const experiment = experimentOf({ control: 900_000, candidate: 100_000 }, { name: 'always' });
  expect(asked('always=control', null, experiment)).toBe('control');
  expect(asked('always=control', null, checkout)).toBe(null);
});

test('a variant that is not there is ignored, and told', () => {
  const overrides = parseOverride('checkout=nonsense', null)!;
  expect(overrides.forExperiment(checkout)).toBe(null);
  expect(overrides.unknownFor(checkout)).toBe('nonsense');
  expect(overrides.unknownFor(search)).toBe(null);
  expect(asked('checkout=nonsense', 'checkout=candidate')).toBe('candidate');
  expect(asked('checkout=1', null)).toBe(null);
});

test('a malformed source is ignored whole and the other still counts', () => {
  expect(parseOverride('checkout=candidate,', null)).toBe(null);
  expect(asked('checkout=candidate,', 'checkout=control')).toBe('control');
  expect(asked('ALWAYS', null)).toBe(null);
});

test('no override is null', () => {
  expect(parseOverride(null, null)).toBe(null);
});

test('the source of an override is known', () => {
  const overrides = parseOverride('search=fast', 'checkout=candidate')!;
  expect(overrides.sourceFor(search)).toBe('header');
  expect(overrides.sourceFor(checkout)).toBe('cookie');
  expect(parseOverride('search=fast', null)!.sourceFor(checkout)).toBe(null);
});
