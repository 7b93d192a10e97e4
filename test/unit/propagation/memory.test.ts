import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type MemorySettings, TraceMemory } from '../../../src/propagation/memory.ts';

const SETTINGS: MemorySettings = { entriesMax: 1000, bytesMax: 1_000_000, ttlMs: 60_000 };

function memory(settings: Partial<MemorySettings> = {}): TraceMemory {
  return new TraceMemory({ ...SETTINGS, ...settings }, 42);
}

/** A traceparent of the nth trace, from a span of its own. */
function trace(n: number, span = 1): string {
  return `00-${(n + 1).toString(16).padStart(32, '0')}-${span.toString(16).padStart(16, '0')}-01`;
}

function joined(of: TraceMemory, traceparent: string, requestId: string, nowMs = 1): [string, string] {
  const { by, text } = of.find(traceparent, requestId, nowMs);
  return [by, text];
}

it('gives a call what the request with its trace id carries, whatever its span is', () => {
  const of = memory();
  of.store(trace(1), 'r-1', 'checkout=candidate, search=b', 0);
  const join = of.find(trace(1, 99), '', 1);
  expect(join.by).toBe('traceparent');
  expect(join.carried!.carried('checkout')).toBe('candidate');
  expect(join.carried!.carried('search')).toBe('b');
  expect(joined(of, trace(2), '')).toEqual(['unknown', '']);
});

it('gives it by the request id when the trace is another one or is not valid', () => {
  const of = memory();
  of.store(trace(1), 'r-1', 'a=x', 0);
  expect(joined(of, trace(7), 'r-1')).toEqual(['request_id', 'a=x']);
  expect(joined(of, '', 'r-1')).toEqual(['request_id', 'a=x']);
  expect(joined(of, '00-00000000000000000000000000000000-00f067aa0ba902b7-01', 'r-1')).toEqual([
    'request_id',
    'a=x',
  ]);
  expect(joined(of, '', 'R-1')).toEqual(['unknown', '']);
});

it('joins nothing by an id of two requests that carry different things, also when they come again', () => {
  const of = memory();
  of.store(trace(1), 'r-1', 'a=x', 0);
  of.store(trace(1), 'r-2', 'a=y', 1);
  expect(joined(of, trace(1), '')).toEqual(['ambiguous', '']);
  of.store(trace(1), 'r-3', 'a=y', 2);
  expect(joined(of, trace(1), '')).toEqual(['ambiguous', '']);
  // Each has an id of its own as well.
  expect(joined(of, trace(1), 'r-1')).toEqual(['request_id', 'a=x']);
  expect(joined(of, trace(1), 'r-2')).toEqual(['request_id', 'a=y']);
});

it('gives a call by an ambiguous id what all requests with it carry, and nothing else', () => {
  const of = memory();
  of.store(trace(1), '', 'a=x, b=y;q=1, c=1', 0);
  of.store(trace(1), '', 'b=y;q=1, a=x, c=2', 0);
  expect(joined(of, trace(1), '')).toEqual(['ambiguous', 'a=x, b=y;q=1']);
  // One that carries just that does not make it clearer.
  of.store(trace(1), '', 'a=x, b=y;q=1', 0);
  expect(joined(of, trace(1), '')).toEqual(['ambiguous', 'a=x, b=y;q=1']);
  of.store(trace(1), '', 'a=x, b=y', 0);
  expect(of.find(trace(1), '', 1).carried!.members.map(({ raw }) => raw)).toEqual(['a=x']);
  of.store(trace(1), '', 'd=1', 0);
  expect(joined(of, trace(1), '')).toEqual(['ambiguous', '']);
  of.store(trace(1), '', 'a=x', 0);
  expect(joined(of, trace(1), '')).toEqual(['ambiguous', '']);
});

it('takes a request that carries nothing for different from one that carries something', () => {
  const of = memory();
  of.store(trace(1), '', 'a=x', 0);
  of.store(trace(1), '', '', 0);
  expect(joined(of, trace(1), '')).toEqual(['ambiguous', '']);
  of.store(trace(2), '', '', 0);
  expect(joined(of, trace(2), '')).toEqual(['traceparent', '']);
});

it('believes neither of two ids that lead to different requests', () => {
  const of = memory();
  of.store(trace(1), 'r-1', 'a=x', 0);
  of.store(trace(2), 'r-2', 'a=y', 0);
  of.store(trace(3), 'r-3', 'a=x', 0);
  expect(joined(of, trace(1), 'r-2')).toEqual(['ambiguous', '']);
  expect(joined(of, trace(1), 'r-3')).toEqual(['traceparent', 'a=x']);
});

it('joins until the time since the last request with the id is over', () => {
  const of = memory({ ttlMs: 1000 });
  of.store(trace(1), '', 'a=x', 0);
  expect(joined(of, trace(1), '', 999)[0]).toBe('traceparent');
  of.store(trace(1), '', 'a=x', 900);
  expect(joined(of, trace(1), '', 1899)[0]).toBe('traceparent');
  expect(joined(of, trace(1), '', 1900)[0]).toBe('unknown');
  expect(of.counts).toMatchObject({ stored: 2, joined: 2, expired: 1 });
});

it('still knows after that time that an id was another request’s', () => {
  const of = memory({ ttlMs: 1000 });
  of.store(trace(1), '', 'a=x', 0);
  of.store(trace(1), '', 'a=y', 5000);
  expect(joined(of, trace(1), '', 5001)[0]).toBe('ambiguous');
});

it('lets the oldest go for a new one, and says whether its time was over', () => {
  const of = memory({ entriesMax: 16, ttlMs: 1000 });
  for (let n = 0; n < 17; n++) of.store(trace(n), `r-${n}`, `a=v${n}`, n);
  expect(joined(of, trace(0), 'r-0', 20)[0]).toBe('unknown');
  for (let n = 1; n < 17; n++) expect(joined(of, trace(n), '', 20)).toEqual(['traceparent', `a=v${n}`]);
  expect([of.size, of.counts.evicted]).toEqual([32, 2]);
  for (let n = 100; n < 116; n++) of.store(trace(n), '', 'a=x', 5000);
  expect(of.counts.evicted).toBe(2);
});

it('never holds more bytes than it may, and no text longer than a quarter of them', () => {
  const of = memory({ bytesMax: 65_536 });
  for (let n = 0; n < 500; n++) {
    of.store(trace(n), `r-${n}`, `a=v${n}, b="${'x'.repeat(n)}"`, n);
    expect(of.bytes).toBeLessThanOrEqual(65_536);
  }
  // Those that differ but for one experiment, which needs room as well.
  for (let n = 0; n < 300; n++) {
    of.store(trace(n % 50), `r-${n}`, `a=v${n}, common="${'y'.repeat(n % 50)}"`, 500);
    expect(of.bytes).toBeLessThanOrEqual(65_536);
  }
  of.store(trace(999), '', 'a=x', 500);
  expect(joined(of, trace(999), '', 500)[0]).toBe('traceparent');
  expect(joined(of, trace(300), '', 500)[0]).toBe('unknown');
  of.store(trace(1000), 'r-1000', `a="${'x'.repeat(9000)}"`, 500);
  expect(joined(of, trace(1000), '', 500)[0]).toBe('ambiguous');
  expect(of.counts.refused).toBe(1);
});

it('forgets a text with the last id that has it', () => {
  const of = memory({ entriesMax: 16 });
  of.store(trace(0), 'r', 'a=once', 0);
  const before = of.bytes;
  for (let n = 1; n < 40; n++) of.store(trace(n), `r-${n}`, 'a=often', 0);
  const after = of.bytes - before;
  // 30 more ids of 40 bytes, and one text for the other.
  expect(after).toBe(30 * 40 + 2 * ('a=often'.length - 'a=once'.length));
});

it('keys by request ids of up to 200 characters', () => {
  const of = memory();
  of.store('', 'x'.repeat(200), 'a=x', 0);
  of.store('', 'y'.repeat(201), 'a=y', 0);
  expect(joined(of, '', 'x'.repeat(200))[0]).toBe('request_id');
  expect(joined(of, '', 'y'.repeat(201))[0]).toBe('unknown');
});

it('knows whether any request carried an experiment of late', () => {
  const of = memory({ ttlMs: 1000 });
  of.store(trace(1), '', '', 0);
  expect(of.hasCarried(1)).toBe(false);
  of.store(trace(1), '', 'a=x', 10);
  expect([of.hasCarried(1009), of.hasCarried(1010)]).toEqual([true, false]);
});

it('never gives a call what another user carries, and says what a plain model says', () => {
  // An id with few values, so that ids meet, run out of time and are evicted all the time.
  const event = fc.record({
    isCall: fc.boolean(),
    trace: fc.integer({ min: 0, max: 40 }),
    request: fc.integer({ min: 0, max: 40 }),
    text: fc.constantFrom('', 'a=x', 'a=y', 'a=x, b=z', 'a=y, b=z', 'b=z'),
    waitMs: fc.integer({ min: 0, max: 300 }),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 300 }), (events) => {
      const of = memory({ entriesMax: 16, ttlMs: 1000 });
      const traces = new Model();
      const requestIds = new Model();
      let nowMs = 0;
      for (const { isCall, trace: t, request: r, text, waitMs } of events) {
        nowMs += waitMs;
        if (isCall) {
          expect(joined(of, trace(t), `r-${r}`, nowMs)).toEqual(
            expected(traces.find(t, nowMs), requestIds.find(r, nowMs)),
          );
        } else {
          of.store(trace(t), `r-${r}`, text, nowMs);
          traces.store(t, text, nowMs);
          requestIds.store(r, text, nowMs);
        }
      }
    }),
    { numRuns: 300 },
  );
});

/** A Map in the order of insertion, of 16. */
class Model {
  readonly #entries = new Map<number, { members: string[]; isAmbiguous: boolean; untilMs: number }>();

  store(id: number, text: string, nowMs: number): void {
    const members = text === '' ? [] : text.split(', ');
    const untilMs = nowMs + 1000;
    const known = this.#entries.get(id);
    if (known !== undefined) {
      const common = known.members.filter((member) => members.includes(member));
      const isSame = common.length === known.members.length && common.length === members.length;
      this.#entries.set(id, { members: common, isAmbiguous: known.isAmbiguous || !isSame, untilMs });
      return;
    }
    if (this.#entries.size === 16) this.#entries.delete(this.#entries.keys().next().value!);
    this.#entries.set(id, { members, isAmbiguous: false, untilMs });
  }

  find(id: number, nowMs: number): Found | null {
    const known = this.#entries.get(id);
    if (known === undefined || known.untilMs <= nowMs) return null;
    return { text: known.members.join(', '), isAmbiguous: known.isAmbiguous };
  }
}

interface Found {
  readonly text: string;
  readonly isAmbiguous: boolean;
}

function expected(t: Found | null, r: Found | null): [string, string] {
  if (t !== null && !t.isAmbiguous) {
    const isContradiction = r !== null && !r.isAmbiguous && r.text !== t.text;
    return isContradiction ? ['ambiguous', ''] : ['traceparent', t.text];
  }
  if (r !== null && !r.isAmbiguous) return ['request_id', r.text];
  const ambiguous = r ?? t;
  return ambiguous === null ? ['unknown', ''] : ['ambiguous', ambiguous.text];
}
