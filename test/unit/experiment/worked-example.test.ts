import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { systemRandom } from '../../../src/base/clock.ts';
import { assign } from '../../../src/experiment/assign.ts';
import { slotOf } from '../../../src/experiment/bucket.ts';
import { experimentOf, givenOf, requestOf } from '../../support/experiment.ts';

const page = readFileSync(new URL('../../../docs/assignment.md', import.meta.url), 'utf8');

test('the worked example of docs/assignment.md is what the code does', () => {
  const rows = page
    .slice(page.indexOf('| x-user-id |'))
    .split('\n')
    .filter((line) => /^\| [a-z]+ \| \d/.test(line))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  expect(rows.length).toBe(4);
  const outcome = (candidate: number, trafficPpm: number, user: string) => {
    const weights = { control: 1_000_000 - candidate, candidate };
    const experiment = experimentOf(weights, { name: 'ranking', salt: 'ranking-1', trafficPpm });
    const request = requestOf({ headers: { 'x-user-id': user } });
    const { reason, variant } = assign(experiment, givenOf({ request, random: systemRandom }));
    return reason === 'split' ? variant.name : reason;
  };
  for (const [, user, slot, atTen, atTwenty, enrol, withTraffic] of rows) {
    expect([user, slotOf('ranking-1', 'variant', user!), slotOf('ranking-1', 'enrol', user!)]).toEqual([
      user,
      Number(slot),
      Number(enrol),
    ]);
    expect(outcome(100_000, 1_000_000, user!)).toBe(atTen);
    expect(outcome(200_000, 1_000_000, user!)).toBe(atTwenty);
    expect(outcome(200_000, 300_000, user!)).toBe(withTraffic);
  }
});
