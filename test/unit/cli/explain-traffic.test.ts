/** `fairlead explain` about excluded traffic and routing keys: the same as on the request path, with the step told. */
import { expect, test } from 'vitest';
import { type DescribedRequest, explainRequest } from '../../../src/cli/explain-request.ts';
import { snapshotOf, withExperiment } from '../../support/config.ts';
import { countingRandom } from '../../support/experiment.ts';

function explain(text: string, headers: Record<string, string>) {
  const request: DescribedRequest = {
    direction: 'inbound',
    method: 'GET',
    host: 'shop',
    path: '/',
    query: '',
    headers: new Map(Object.entries(headers)),
    clientIdentity: null,
    clientAddress: null,
  };
  const context = { random: countingRandom(), wallMs: 0, showUnit: false };
  const { experiments, forwarded } = explainRequest(snapshotOf(text), request, context);
  return { ...experiments[0]!, forwarded };
}

test('a health check is told as one', () => {
  const { assigned, reason, steps } = explain(withExperiment(), {
    'user-agent': 'kube-probe/1.31',
    'x-user-id': 'u-1',
  });
  expect([assigned, reason]).toEqual(['control', 'excluded:health-check']);
  expect(steps.at(-1)).toBe('traffic: it is of the class health-check, so it gets control');
});

test('a routing key is told with its tool, and one that nobody knows as such', () => {
  const text = withExperiment('routingKeys: [{ kind: okteto, map: { alice: candidate } }]');
  const known = explain(text, { baggage: 'okteto-divert=alice' });
  expect([known.assigned, known.reason]).toEqual(['candidate', 'override:okteto']);
  expect(known.steps.at(-1)).toBe('routing key: that of okteto asks for candidate');
  const unknown = explain(text, { baggage: 'okteto-divert=carol' });
  expect(unknown.reason).toBe('no-unit');
  expect(unknown.steps).toContain('routing key: none that is known here');
});

test('the bucket for a neighbouring Envoy is shown, that of the variant that serves', () => {
  const text = withExperiment('bucketHeader: x-bucket', 'salt: s');
  const override = { 'x-experiment-override': 'ranking=candidate' };
  expect(explain(text, override).forwarded['x-bucket']).toBe('900000');
  const { slot, assigned, forwarded } = explain(text, { 'x-user-id': 'u-1' });
  expect(assigned).toBe('control');
  // The 100,000 slots of the candidate lie below this one.
  expect(forwarded['x-bucket']).toBe(String(slot! - 100_000));
  expect(explain(withExperiment(), override).forwarded).not.toHaveProperty('x-bucket');
});
