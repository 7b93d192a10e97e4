/** What `fairlead power` promises is what is found: with looks all the time, an effect that is there, and the docs' table. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { measurePower, powerTable } from '../support/analysis-power.ts';

const DOC = join(import.meta.dirname, '../../docs/analysis.md');
/** Some seconds; more on a machine that has other things to do. */
const TIMEOUT_MS = 120_000;

test(
  'an effect is found as often as promised, and docs/analysis.md has the table',
  () => {
    const rows = measurePower();
    expect(rows).toHaveLength(6);
    for (const { name, half, most, foundByMost, median } of rows) {
      // 80 % of 300 experiments, and three standard deviations less.
      expect(foundByMost, name).toBeGreaterThan(0.73);
      expect(median, name).toBeGreaterThan(half / 2);
      expect(median, name).toBeLessThan(most);
    }
    expect(readFileSync(DOC, 'utf8')).toContain(powerTable(rows).join('\n'));
  },
  TIMEOUT_MS,
);
