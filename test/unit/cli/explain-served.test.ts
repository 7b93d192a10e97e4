/** What `explain` says is served: conflicts and breakers as the request path has them, and what is required elsewhere. */
import { expect, test } from 'vitest';
import { type Explanation, explainRequest } from '../../../src/cli/explain-request.ts';
import { snapshotOf } from '../../support/config.ts';
import { countingRandom } from '../../support/experiment.ts';

const TWO = `
version: 1
upstreams: { v1: "127.0.0.1:9001", v2: "127.0.0.1:9002", v3: "127.0.0.1:9003" }
routes: [{ name: all, upstream: v1, experiments: [first, second] }]
experiments:
  first: { variants: { control: {}, a: { weight: 100%, upstream: v2 } } }
  second: { variants: { control: {}, b: { weight: 100%, upstream: v3 } }, breaker: false }
`;

function explain(text: string, open: readonly string[] | null = null): Explanation {
  const headers = new Map([['x-user-id', 'u-1']]);
  const about = { direction: 'inbound', method: 'GET', host: 'shop', path: '/', query: '' } as const;
  return explainRequest(
    snapshotOf(text),
    { ...about, headers, clientIdentity: null, clientAddress: null },
    {
      random: countingRandom(),
      wallMs: 0,
      showUnit: false,
      isOpen: open === null ? null : (breaker) => open.includes(breaker),
    },
  );
}

const served = ({ experiments, upstream }: Explanation) => [
  ...experiments.map((one) => `${one.assigned} ${one.served} ${one.servedBecause} | ${one.breaker}`),
  upstream?.name ?? 'none',
];

test('the first experiment has its upstream, and the other falls back', () => {
  expect(served(explain(TWO))).toEqual([
    'a a null | when it is open, control serves',
    'b control conflict | none',
    'v2',
  ]);
});

test('an open breaker turns away, and the way is free for the next', () => {
  expect(served(explain(TWO, ['all/first/a']))).toEqual([
    'a control breaker | open, so control serves',
    'b b null | none',
    'v3',
  ]);
  expect(served(explain(TWO, []))[0]).toBe('a a null | not open');
});

test('when that of the last resort is open too, there is no answer', () => {
  const explanation = explain(TWO, ['all/first/a', 'all/first/control']);
  expect(explanation.upstream).toBeNull();
  expect(explanation.notes).toContain(
    'the breaker of a last resort is open, so the answer is 503 breaker_open',
  );
});

test('the breaker of the fallback is not asked about who is not in the experiment', () => {
  const text = TWO.replace('first: {', 'first: { targeting: [{ header: x-a, equals: b }],');
  expect(served(explain(text, ['all/first/control']))).toEqual([
    'control control null | not asked',
    'b b null | none',
    'v3',
  ]);
});

test('what is required is explained, though it is not on the route', () => {
  const text = TWO.replace('experiments: [first, second]', 'experiments: [second]').replace(
    'second: {',
    'second: { requires: [{ experiment: first, variant: control }],',
  );
  const { required, experiments } = explain(text);
  expect(required).toMatchObject([
    { experiment: 'first', assigned: 'a', reason: expect.stringMatching(/^split/) },
  ]);
  expect(experiments.map(({ experiment, reason }) => [experiment, reason])).toEqual([
    ['second', 'prerequisite'],
  ]);
});
