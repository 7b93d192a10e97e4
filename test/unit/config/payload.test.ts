import { describe, expect, it } from 'vitest';
import { configOf, issuesOf, snapshotOf, withExperiment } from '../../support/config.ts';

const variants = (control: string, candidate: string) =>
  withExperiment('variants:', `  control: { ${control} }`, `  candidate: { weight: 10%, ${candidate} }`);

function payloads(text: string): unknown[] {
  return snapshotOf(text)
    .experiments.get('ranking')!
    .variants.map(({ payload }) => payload);
}

describe('payload', () => {
  it('is none unless it is given', () => {
    expect(payloads(withExperiment())).toEqual([null, null]);
  });

  it.each([
    ['payload: false', 'payload: true', [false, true]],
    ['payload: 0', 'payload: 2.5', [0, 2.5]],
    ['payload: ""', 'payload: blue', ['', 'blue']],
    [
      'payload: { size: 1 }',
      'payload: { size: 2, also: [a, null] }',
      [{ size: 1 }, { size: 2, also: ['a', null] }],
    ],
    ['payload: []', 'payload: { a: 1 }', [[], { a: 1 }]],
  ])('%s and %s are kept as they are', (control, candidate, expected) => {
    expect(payloads(variants(control, candidate))).toEqual(expected);
  });

  it('is frozen with the snapshot', () => {
    const [, payload] = payloads(variants('payload: {}', 'payload: { list: [1] }')) as { list: number[] }[];
    expect(Object.isFrozen(payload!.list)).toBe(true);
  });

  it('is nothing that JSON does not have', () => {
    expect(issuesOf(variants('payload: 1', 'payload: .inf'))[0]).toMatch(
      /^7:42: .*payload: .*JSON does not have/,
    );
    expect(issuesOf(variants('payload: 1', 'payload: null'))[0]).toContain(
      'a payload is some value, or left out',
    );
  });

  it('has a limit, as JSON', () => {
    const text = (length: number) => `payload: "${'é'.repeat(length)}"`;
    expect(configOf(variants('payload: ""', text(8191))).experiments.ranking).toBeDefined();
    expect(issuesOf(variants('payload: ""', text(8192)))[0]).toContain(
      '16386 bytes as JSON, more than 16384',
    );
  });

  it('is of one kind in all variants of an experiment', () => {
    expect(issuesOf(variants('payload: false', 'payload: "true"'))[0]).toContain(
      'experiments.ranking.variants.candidate.payload: is a string, and that of control is a boolean',
    );
    expect(issuesOf(variants('payload: false', 'upstream: app'))[0]).toContain(
      'experiments.ranking.variants.candidate: has no payload, so its value is its name, a string',
    );
    expect(payloads(variants('payload: old', 'upstream: app'))).toEqual(['old', null]);
  });
});
