/**
 * Our place in a trace: which requests are recorded as spans, and the `traceparent` that those who follow get. Of a trace
 * that others began, they have decided, by the sampled flag; of one that begins here, its id decides, in the way of
 * OpenTelemetry's consistent sampling, so that all who sample with this share sample the same traces. Pure.
 * https://www.w3.org/TR/trace-context-2/ https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
 */

/** `VV-TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT-PPPPPPPPPPPPPPPP-FF`: where each part begins. */
const TRACE_ID = 3;
const PARENT_ID = 36;
const FLAGS = 53;
/** Of a trace id, the digits that are random and that sampling goes by. */
const RANDOM_DIGITS = 14;
const RANDOM_START = PARENT_ID - 1 - RANDOM_DIGITS;
const SAMPLED = 1;
const MILLION = 1_000_000;

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** Null: the trace begins here. */
  readonly parentId: string | null;
  /** For those who follow: their parent is this span. */
  readonly traceparent: string;
}

/** The least random digits of a trace id that are sampled; null: none are. */
export function sampleThreshold(samplePpm: number): string | null {
  if (samplePpm <= 0) return null;
  const range = 16n ** BigInt(RANDOM_DIGITS);
  const least = (range * BigInt(MILLION - samplePpm)) / BigInt(MILLION);
  return least.toString(16).padStart(RANDOM_DIGITS, '0');
}

/** The span of a request whose trace others began; null: they do not record it. `traceparent` is valid. */
export function continuedSpan(traceparent: string, newSpanId: () => string): Span | null {
  const flags = Number.parseInt(traceparent.slice(FLAGS, FLAGS + 2), 16);
  if ((flags & SAMPLED) === 0) return null;
  const traceId = traceparent.slice(TRACE_ID, PARENT_ID - 1);
  const spanId = newSpanId();
  return {
    traceId,
    spanId,
    parentId: traceparent.slice(PARENT_ID, FLAGS - 1),
    traceparent: `00-${traceId}-${spanId}-${traceparent.slice(FLAGS, FLAGS + 2)}`,
  };
}

/** The span of a request whose trace begins here, with the ids of `traceparent`, which is ours; null: not sampled. */
export function rootSpan(traceparent: string, threshold: string | null): Span | null {
  // Digits of one length, in lower case: as text they are ordered as numbers are.
  if (threshold === null || traceparent.slice(RANDOM_START, PARENT_ID - 1) < threshold) return null;
  return {
    traceId: traceparent.slice(TRACE_ID, PARENT_ID - 1),
    spanId: traceparent.slice(PARENT_ID, FLAGS - 1),
    parentId: null,
    traceparent: `${traceparent.slice(0, FLAGS)}01`,
  };
}
