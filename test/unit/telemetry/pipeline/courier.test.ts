import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock, systemRandom } from '../../../../src/base/clock.ts';
import { Courier } from '../../../../src/telemetry/pipeline/courier.ts';
import { TAKEN } from '../../../../src/telemetry/pipeline/destination.ts';
import type { Spool } from '../../../../src/telemetry/pipeline/spool.ts';
import { lineOf, newFolder, numberOf, openSpool, TestDestination } from '../../../support/destination.ts';

const LATER = { kind: 'later', problem: 'it answered 503' } as const;

let folder: ReturnType<typeof newFolder>;
let spool: Spool;
let destination: TestDestination;
let courier: Courier;
let problems: string[];

beforeEach(() => {
  folder = newFolder();
  start();
});

afterEach(async () => {
  await stop();
  folder.remove();
});

function start(): void {
  ({ spool } = openSpool(folder.path));
  destination = new TestDestination();
  problems = [];
  courier = new Courier(spool.readers[0]!, destination, {
    clock: systemClock,
    random: systemRandom,
    limits: { eventsMax: 8, bytesMax: 64 * 1024 },
    onProblem: (sentence) => problems.push(sentence),
    waitMs: 1,
  });
}

async function stop(): Promise<void> {
  await courier.close();
  await spool.close();
}

function fill(from: number, to: number): void {
  for (let number = from; number < to; number++) spool.write(lineOf(number));
}

const upTo = (to: number) => Array.from({ length: to }, (_, index) => index);

test('events are sent in order, in batches that are not too large', async () => {
  const sizes: number[] = [];
  destination.answer = (events) => {
    sizes.push(events.length);
    return TAKEN;
  };
  fill(0, 50);
  await destination.has(50);
  expect(destination.taken.map(numberOf)).toEqual(upTo(50));
  expect(Math.max(...sizes)).toBe(8);
  expect([courier.sent, courier.failures, courier.lost]).toEqual([50, 0, 0]);
});

test('what is not taken is sent again until it is, and said once', async () => {
  let left = 3;
  destination.answer = () => (left-- > 0 ? LATER : TAKEN);
  fill(0, 5);
  await destination.has(5);
  expect(destination.taken.map(numberOf)).toEqual(upTo(5));
  expect(courier.failures).toBe(3);
  expect(problems).toEqual([
    'the sink lake takes no events: it answered 503; events are kept while they fit',
    'the sink lake takes events again; 0 were lost to it so far',
  ]);
});

test('what is refused for good is lost and counted, and holds up nothing', async () => {
  destination.answer = (events) =>
    events.some((event) => numberOf(event) === 3) ? { kind: 'refused', problem: 'it answered 400' } : TAKEN;
  fill(0, 4);
  await spool.flush();
  fill(4, 6);
  await destination.has(2);
  expect(destination.taken.map(numberOf)).toEqual([4, 5]);
  expect([courier.sent, courier.lost]).toEqual([2, 4]);
});

test('what is too large is halved until it fits, and an event that is too large alone is lost', async () => {
  destination.answer = (events) =>
    events.length > 2 || events.some((event) => numberOf(event) === 1) ? { kind: 'too-large' } : TAKEN;
  fill(0, 8);
  await destination.has(7);
  expect(destination.taken.map(numberOf)).toEqual([0, 2, 3, 4, 5, 6, 7]);
  expect(courier.lost).toBe(1);
});

test('a destination that takes nothing holds nothing up, and has it all after a restart', async () => {
  destination.answer = () => LATER;
  fill(0, 20);
  // The second attempt comes after the first has failed.
  await destination.attempt();
  await destination.attempt();
  expect(courier.oldestAgeMs(Date.parse('2026-01-01T00:00:07Z'))).toBe(7000);
  expect(courier.isFailing).toBe(true);
  await stop();
  start();
  await destination.has(20);
  expect(destination.taken.map(numberOf)).toEqual(upTo(20));
});

test('a close during an attempt ends it, and the batch is sent again after a restart', async () => {
  const started = new Promise<void>((resolve) => {
    destination.answer = () => {
      resolve();
      return LATER;
    };
  });
  fill(0, 3);
  await started;
  await stop();
  start();
  await destination.has(3);
  expect(destination.taken.map(numberOf)).toEqual(upTo(3));
});
