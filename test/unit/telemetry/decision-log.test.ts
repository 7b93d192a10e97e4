import { expect, test } from 'vitest';
import { assign } from '../../../src/experiment/assign.ts';
import { type DecidedRequest, DecisionLog } from '../../../src/telemetry/decision-log.ts';
import { Counter } from '../../../src/telemetry/series.ts';
import { experimentOf, givenOf, requestOf } from '../../support/experiment.ts';
import { seededRandom } from '../../support/seeded-random.ts';

function newLog(options: Partial<ConstructorParameters<typeof DecisionLog>[0]> = {}) {
  const lines: string[] = [];
  const [written, dropped] = [new Counter(), new Counter()];
  const target = { write: (line: string) => lines.push(line) > 0 };
  const log = new DecisionLog({
    ...{ target, service: 'shop', key: 'k', random: { next: () => 0.5, hex: () => '' } },
    ...{ samplePpm: 1_000_000, isPlain: false, written, dropped, ...options },
  });
  return { log, lines, written, dropped };
}

function requestWith(headers: Record<string, string>, experiments = 1): DecidedRequest {
  const given = givenOf({ request: requestOf({ headers }) });
  const assignments = Array.from({ length: experiments }, (_, n) =>
    assign(experimentOf({ control: 500_000, candidate: 500_000 }, { name: `e${n}` }), given),
  );
  return {
    ...{ atMs: 0, rules: '0123456789abcdef', hash: '0123456789ab', direction: 'inbound', route: 'all' },
    ...{ requestId: 'r-1', method: 'GET', host: 'shop', path: '/', refused: null, given },
    decided: assignments.map((assignment) => ({
      ...{ assignment, kept: null, because: null },
      served: assignment.variant.name,
    })),
  };
}

test.each([10_000, 200_000, 999_999])('of a sample of %i ppm so many are recorded', (samplePpm) => {
  const { log } = newLog({ samplePpm, random: seededRandom(7) });
  const tries = 200_000;
  let due = 0;
  for (let n = 0; n < tries; n++) if (log.isDue()) due++;
  const share = samplePpm / 1_000_000;
  // Five standard deviations.
  expect(Math.abs(due - tries * share)).toBeLessThan(5 * Math.sqrt(tries * share * (1 - share)) + 1);
});

test('of all requests none is left out', () => {
  const { log } = newLog();
  expect([log.isDue(), log.isDue(), log.isDue()]).toEqual([true, true, true]);
});

test('a record is one line of JSON, and what the target does not take is counted as lost', () => {
  const { log, lines, written } = newLog();
  log.record(requestWith({ 'x-user-id': 'anna' }));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^\{"format":1,"time":"1970-01-01T00:00:00.000Z",[^\n]*\}\n$/);
  expect(JSON.parse(lines[0]!)).toMatchObject({ route: 'all', experiments: [{ experiment: 'e0' }] });
  expect(written.value).toBe(1);
  const full = newLog({ target: { write: () => false } });
  full.log.record(requestWith({ 'x-user-id': 'anna' }));
  expect(full.written.value).toBe(0);
});

test('a line beyond all bounds is left out and counted', () => {
  const { log, lines, dropped } = newLog();
  log.record(requestWith({ 'x-user-id': 'anna' }, 2000));
  expect([lines.length, dropped.value]).toEqual([0, 1]);
});

test('with plain units an answer that is very long is not recorded, and then none is', () => {
  const { log, lines } = newLog({ isPlain: true });
  log.record(requestWith({ 'x-user-id': 'anna' }));
  log.record(requestWith({ 'x-user-id': 'x'.repeat(2000) }));
  const [short, long] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(short).toMatchObject({ request: { path: '/' }, asked: { 'header x-user-id': 'anna' } });
  expect(Object.keys(long!)).not.toContain('asked');
  expect(lines[1]).not.toContain('xxx');
});
