import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { EMPTY_RUNTIME } from '../../../src/config/runtime.ts';
import type { Config } from '../../../src/config/schema.ts';
import { WorkerLink } from '../../../src/workers/link.ts';
import type { ToWorker } from '../../../src/workers/messages.ts';
import { configOf, minimal } from '../../support/config.ts';

const CONFIG = configOf(minimal());
const OTHER = configOf(minimal('service: other'));

function rules(version: number, config: Config = CONFIG) {
  return { config, runtime: EMPTY_RUNTIME, version, id: '', hash: '' };
}

function newLink() {
  const sent: ToWorker[] = [];
  const link = new WorkerLink(1, { pid: 1, send: (message) => sent.push(message), kill: () => {} });
  const versions = () =>
    sent.flatMap((message) => {
      if (message.kind !== 'start' && message.kind !== 'rules') return [];
      const { version, config } = message.rules;
      return [`${message.kind} ${version}${config === null ? '' : ` with ${config.service}`}`];
    });
  return { link, sent, versions };
}

function started() {
  const bench = newLink();
  bench.link.start({ workers: 2, isSharing: true, unitKey: [1, 2], atStart: CONFIG, bindings: {} }, rules(1));
  return bench;
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('the configuration goes out once, and then only the run-time state until there is another one', () => {
  const { link, versions } = started();
  link.adopted(1);
  link.adopt(rules(2));
  link.adopted(2);
  link.adopt(rules(3, OTHER));
  link.adopted(3);
  expect(versions()).toEqual(['start 1 with service', 'rules 2', 'rules 3 with other']);
});

test('a worker that is slow gets the newest rules only', () => {
  const { link, versions } = started();
  for (let version = 2; version <= 50; version++) link.adopt(rules(version));
  expect(versions()).toEqual(['start 1 with service']);
  link.adopted(1);
  expect(versions()).toEqual(['start 1 with service', 'rules 50']);
});

test('a worker that has not been told to start gets no rules', () => {
  const { link, sent } = newLink();
  link.adopt(rules(2));
  expect(sent).toEqual([]);
});

test('whoever waits for a version hears when it or a later one is worked by', async () => {
  const { link } = started();
  const heard: number[] = [];
  for (const version of [1, 2, 3]) void link.reached(version).then(() => heard.push(version));
  link.adopted(2);
  await vi.advanceTimersByTimeAsync(0);
  expect(heard).toEqual([1, 2]);
});

test('an answer may come in parts, and not at all', async () => {
  const { link, sent } = started();
  const family = { name: 'a', aggregator: 'sum', isCounted: true, values: [] } as const;
  const first = link.ask('series', 500);
  const second = link.ask('series', 500);
  const id = (sent.at(-2) as ToWorker & { kind: 'ask' }).id;
  link.answered({ kind: 'answer', id, families: [family], state: null, isLast: false });
  link.answered({ kind: 'answer', id, families: [family], state: null, isLast: false });
  link.answered({ kind: 'answer', id, families: [], state: null, isLast: true });
  expect((await first)?.families).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(500);
  expect(await second).toBeNull();
  // Too late: nobody waits.
  link.answered({ kind: 'answer', id: id + 1, families: [family], state: null, isLast: true });
});
