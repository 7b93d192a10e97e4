/** Against scipy's values (test/vectors/analysis.json). */
import { describe, expect, test } from 'vitest';
import { logBeta, logGamma, normalQuantile, normalTail } from '../../../src/analysis/special.ts';
import vectors from '../../vectors/analysis.json' with { type: 'json' };

describe('the special functions', () => {
  test.each(vectors.logGamma)('the log-gamma of %d is %d', (x, expected) => {
    expect(Math.abs(logGamma(x!) - expected!)).toBeLessThan(1e-12 * Math.max(1, Math.abs(expected!)));
  });

  test.each(vectors.logBeta)('the log-beta of %d and %d is %d', (a, b, expected) => {
    expect(logBeta(a!, b!) / expected!).toBeCloseTo(1, 8);
  });

  test.each(vectors.normalQuantile)(
    'the normal quantile of %d is %d, and its tail the same back',
    (p, expected) => {
      expect(normalQuantile(p!)).toBeCloseTo(expected!, 9);
      expect(normalTail(-expected!) / p!).toBeCloseTo(1, 9);
    },
  );
});
