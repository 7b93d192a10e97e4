import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as names from '@opentelemetry/semantic-conventions/incubating';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock, systemRandom } from '../../../src/base/clock.ts';
import { silentLog } from '../../../src/telemetry/log.ts';
import { EVALUATION, evaluationAttributes, unixNano } from '../../../src/telemetry/otlp.ts';
import { Counter } from '../../../src/telemetry/series.ts';
import { type SpanFacts, Tracing, type TracingOptions } from '../../../src/telemetry/tracing.ts';

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const FACTS: SpanFacts = {
  kind: 'server',
  name: 'GET api',
  startMs: 1_700_000_000_000.25,
  endMs: 1_700_000_000_012.5,
  attributes: { 'http.request.method': 'GET', 'http.response.status_code': 503, 'error.type': null },
  isError: true,
  evaluations: [{ experiment: 'ranking', assigned: 'candidate', served: 'control', reason: 'split' }],
};

let server: Server;
let bodies: Record<string, unknown>[];
let answer: (response: ServerResponse) => void;
let sent: Counter;
let dropped: Counter;
let tracing: Tracing;

beforeEach(async () => {
  bodies = [];
  answer = (response) => response.end('{}');
  server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => {
      text += chunk;
    });
    request.on('end', () => {
      bodies.push(JSON.parse(text));
      answer(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  sent = new Counter();
  dropped = new Counter();
  tracing = newTracing();
});

afterEach(async () => {
  await tracing.close();
  server.close();
  server.closeAllConnections();
});

function newTracing(options: Partial<TracingOptions> = {}): Tracing {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`;
  return new Tracing({
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    resource: { service: 'checkout', version: '1.2.3' },
    post: { url, headers: {}, timeoutMs: 30_000, isGzip: false },
    samplePpm: 1_000_000,
    sent,
    dropped,
    batchMs: 1,
    waitMs: 1,
    ...options,
  });
}

const span = () => tracing.begin(TRACEPARENT, false)!;

describe('a span', () => {
  test('is sent as OTLP has it', async () => {
    const { spanId } = span();
    tracing.end({ ...span(), spanId }, FACTS);
    await tracing.close();
    expect(bodies).toEqual([
      {
        resourceSpans: [
          {
            resource: { attributes: [{ key: 'service.name', value: { stringValue: 'checkout' } }] },
            scopeSpans: [
              {
                scope: { name: 'fairlead', version: '1.2.3' },
                spans: [
                  {
                    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
                    spanId,
                    parentSpanId: '00f067aa0ba902b7',
                    name: 'GET api',
                    kind: 2,
                    startTimeUnixNano: '1700000000000250000',
                    endTimeUnixNano: '1700000000012500000',
                    attributes: [
                      { key: 'http.request.method', value: { stringValue: 'GET' } },
                      { key: 'http.response.status_code', value: { intValue: '503' } },
                    ],
                    events: [
                      {
                        timeUnixNano: '1700000000000250000',
                        name: 'feature_flag.evaluation',
                        attributes: [
                          { key: 'feature_flag.key', value: { stringValue: 'ranking' } },
                          { key: 'feature_flag.provider.name', value: { stringValue: 'fairlead' } },
                          { key: 'feature_flag.result.variant', value: { stringValue: 'candidate' } },
                          { key: 'feature_flag.result.reason', value: { stringValue: 'split' } },
                          { key: 'fairlead.served', value: { stringValue: 'control' } },
                          { key: 'fairlead.reason', value: { stringValue: 'split' } },
                        ],
                      },
                    ],
                    status: { code: 2 },
                  },
                ],
              },
            ],
          },
        ],
      },
    ]);
    expect([sent.value, dropped.value]).toEqual([1, 0]);
  });

  test('that is not taken is sent again, a few times', async () => {
    let left = 2;
    answer = (response) => (left-- > 0 ? response.writeHead(503).end() : response.end());
    tracing.end(span(), FACTS);
    await expect.poll(() => sent.value).toBe(1);
    expect(bodies).toHaveLength(3);
    left = 100;
    tracing.end(span(), FACTS);
    await expect.poll(() => dropped.value).toBe(1);
    expect(bodies).toHaveLength(7);
  });

  test('is dropped and counted when there are too many', async () => {
    answer = () => {};
    for (let i = 0; i < 5000; i++) tracing.end(span(), FACTS);
    // What does not fit beside the batch that is under way.
    expect(dropped.value).toBe(5000 - 4096 - 512);
    server.closeAllConnections();
    answer = (response) => response.end();
  });
});

describe('names', () => {
  test('are those of the semantic conventions', () => {
    const known = new Set(Object.values(names).filter((one) => typeof one === 'string'));
    const used = Object.keys(evaluationAttributes({ ...FACTS.evaluations[0]!, unit: 'u' }));
    const ours = used.filter((name) => name.startsWith('fairlead.'));
    expect(ours).toEqual(['fairlead.served', 'fairlead.reason']);
    for (const name of used) if (!ours.includes(name)) expect(known).toContain(name);
    for (const name of ['http.request.method', 'http.response.status_code', 'error.type'])
      expect(known).toContain(name);
    expect(known).toContain('http.request.resend_count');
    expect(known).toContain('cloudevents.event_id');
    expect(EVALUATION).toBe(names.EVENT_FEATURE_FLAG_EVALUATION);
  });

  test('of reasons are those of the semantic conventions', () => {
    const reasons = Object.entries(names).flatMap(([key, value]) =>
      key.startsWith('FEATURE_FLAG_RESULT_REASON_VALUE_') ? [value] : [],
    );
    for (const reason of ['split', 'override', 'sticky', 'killed', 'concluded', 'holdout', 'anything'])
      expect(reasons).toContain(
        evaluationAttributes({ ...FACTS.evaluations[0]!, reason })['feature_flag.result.reason'],
      );
  });
});

test('nanoseconds have all their digits', () => {
  expect(unixNano(1_700_000_000_000)).toBe('1700000000000000000');
  expect(unixNano(1_700_000_000_000.5)).toBe('1700000000000500000');
});
