/** What lost exposures do to what is said of experiments. */
import { expect, it } from 'vitest';
import { lossDoubts } from '../../../src/cli/analysis-support.ts';

it('is nothing while they are within their limit, or not known; beyond it, it is said', () => {
  expect(lossDoubts(null)).toEqual([]);
  expect(lossDoubts({ ratio: 0.004, limit: 0.005, isWithinLimit: true })).toEqual([]);
  expect(lossDoubts({ ratio: 0.051, limit: 0.005, isWithinLimit: false })).toEqual([
    '5.1% of the exposures of the last hour were lost, limit 0.5%',
  ]);
});
