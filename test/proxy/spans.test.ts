/** Requests as spans over real sockets: which are recorded, what they say, and what those who follow are told. */
import { describe, expect, it } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/clock.ts';
import { continuedSpan, rootSpan, type Span, sampleThreshold } from '../../src/propagation/span.ts';
import { silentLog } from '../../src/telemetry/log.ts';
import type { SpanFacts } from '../../src/telemetry/tracing.ts';
import { field } from '../support/message.ts';
import { startPlane } from '../support/plane.ts';
import { answer, configOf, get, ok, type Received, useRig } from '../support/rig.ts';

const rig = useRig();
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const SAMPLED = `traceparent: 00-${TRACE}-${PARENT}-01\r\n`;
const NOT_SAMPLED = `traceparent: 00-${TRACE}-${PARENT}-00\r\n`;
const EXPERIMENT = {
  routes: [{ name: 'all', match: { path: '/*' }, upstream: 'app', experiments: ['checkout'] }],
  experiments: {
    checkout: { unit: [{ header: 'x-user-id' }], variants: { control: {}, candidate: { weight: '100%' } } },
  },
};

interface Setup {
  readonly fields?: string;
  readonly samplePpm?: number;
  readonly settings?: object;
  readonly response?: string;
}

/** What becomes of one request. */
async function trace({ fields = '', samplePpm = 0, settings = EXPERIMENT, response = ok() }: Setup) {
  const ended: { span: Span; facts: SpanFacts }[] = [];
  const threshold = sampleThreshold(samplePpm);
  const upstream = await rig.upstream(({ socket }) => socket.write(response));
  const plane = await startPlane(configOf([upstream.endpoint], settings), systemClock, silentLog, {
    begin: (traceparent, isFresh) =>
      isFresh ? rootSpan(traceparent, threshold) : continuedSpan(traceparent, () => systemRandom.hex(8)),
    end: (span, facts) => ended.push({ span, facts }),
  });
  rig.also(() => plane.close());
  const client = rig.client(plane.port);
  client.send(get('/secret-path', `x-user-id: u1\r\n${fields}`));
  const { status } = await answer(client);
  return { got: await upstream.request(), ended, status, plane };
}

const traceparents = (got: Received) =>
  got.fields.filter(([name]) => name === 'traceparent').map(([, value]) => value);

describe('a request whose caller records it', () => {
  it('is recorded as a child, and is the parent of what follows', async () => {
    const { got, ended } = await trace({ fields: `${SAMPLED}tracestate: a=1\r\n` });
    expect(ended).toHaveLength(1);
    const { span, facts } = ended[0]!;
    expect(span).toMatchObject({ traceId: TRACE, parentId: PARENT });
    expect(traceparents(got)).toEqual([`00-${TRACE}-${span.spanId}-01`]);
    expect(field(got, 'tracestate')).toBe('a=1');
    expect(facts).toMatchObject({
      kind: 'server',
      name: 'GET all',
      isError: false,
      attributes: {
        'http.request.method': 'GET',
        'http.response.status_code': 200,
        'fairlead.outcome': 'ok',
        'error.type': null,
      },
      evaluations: [{ experiment: 'checkout', assigned: 'candidate', served: 'candidate', reason: 'split' }],
    });
    expect(facts.endMs).toBeGreaterThanOrEqual(facts.startMs);
    expect(JSON.stringify(facts)).not.toMatch(/secret-path|u1/);
  });

  it('is an example in the histogram that it is counted in', async () => {
    const { plane } = await trace({ fields: SAMPLED });
    const page = await plane.plane.metrics.render('openmetrics');
    expect(page).toMatch(
      new RegExp(`variant="candidate"\\} 1 # \\{trace_id="${TRACE}"\\} \\d+\\.\\d+ 1\\d+`),
    );
  });

  it('is an error when it fails', async () => {
    const { ended } = await trace({
      fields: SAMPLED,
      response: 'HTTP/1.1 503 Down\r\ncontent-length: 0\r\n\r\n',
    });
    expect(ended[0]!.facts).toMatchObject({ isError: true, attributes: { 'error.type': '503' } });
  });

  it('goes on as it came where the field is left alone', async () => {
    const { got, ended } = await trace({
      fields: SAMPLED,
      settings: { ...EXPERIMENT, forwarding: { traceparent: false } },
    });
    expect(traceparents(got)).toEqual([`00-${TRACE}-${PARENT}-01`]);
    expect(ended).toHaveLength(1);
  });
});

describe('a request whose caller does not record it', () => {
  it('goes on as it came', async () => {
    const { got, ended, plane } = await trace({ fields: NOT_SAMPLED, samplePpm: 1_000_000 });
    expect(traceparents(got)).toEqual([`00-${TRACE}-${PARENT}-00`]);
    expect(ended).toEqual([]);
    expect(await plane.plane.metrics.render('openmetrics')).not.toContain('trace_id');
  });
});

describe('a trace that begins here', () => {
  it.each([
    ['without ids', ''],
    ['with an id of its own', 'x-request-id: mine\r\n'],
    ['with a field that is malformed', 'traceparent: 00-nonsense\r\ntracestate: a=1\r\n'],
  ])('is recorded when it is sampled: a request %s', async (_what, fields) => {
    const { got, ended } = await trace({ fields, samplePpm: 1_000_000 });
    const { span } = ended[0]!;
    expect(span.parentId).toBeNull();
    expect(traceparents(got)).toEqual([`00-${span.traceId}-${span.spanId}-01`]);
    expect(field(got, 'x-request-id')).toMatch(fields.includes('mine') ? /^mine$/ : /^[0-9a-f]{32}$/);
    expect(field(got, 'tracestate')).toBeNull();
  });

  it('says that it is not recorded when it is not', async () => {
    const { got, ended } = await trace({ samplePpm: 0 });
    expect(traceparents(got)[0]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    expect(ended).toEqual([]);
  });
});
