/**
 * OTLP over HTTP as JSON (OpenTelemetry protocol 1.x): the shapes that records and spans of ours are sent in. Written
 * here rather than by the OpenTelemetry SDK, which keeps state of its own for each span and takes 130 ms to load.
 * Attribute names are those of the semantic conventions; a test holds them against their package. Pure.
 */

export interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue: string } | { readonly intValue: string };
}

export type AttributeValue = string | number | null | undefined;

/** Whose records these are. */
export interface Resource {
  readonly service: string;
  readonly version: string;
}

/** Attributes of an object; what is null or undefined is left out. Numbers are whole. */
export function attributesOf(values: Readonly<Record<string, AttributeValue>>): Attribute[] {
  return Object.entries(values).flatMap(([key, value]): Attribute[] => {
    if (value === null || value === undefined) return [];
    if (typeof value === 'number') return [{ key, value: { intValue: String(Math.round(value)) } }];
    return [{ key, value: { stringValue: value } }];
  });
}

/** Nanoseconds since the epoch as OTLP writes them; more digits than a double holds. */
export function unixNano(wallMs: number): string {
  const wholeMs = Math.floor(wallMs);
  const nanos = Math.floor((wallMs - wholeMs) * 1e6);
  return `${wholeMs}${String(nanos).padStart(6, '0')}`;
}

export function logsOf(resource: Resource, logRecords: readonly object[]): object {
  return {
    resourceLogs: [{ resource: resourceOf(resource), scopeLogs: [{ scope: scopeOf(resource), logRecords }] }],
  };
}

export function spansOf(resource: Resource, spans: readonly object[]): object {
  return {
    resourceSpans: [{ resource: resourceOf(resource), scopeSpans: [{ scope: scopeOf(resource), spans }] }],
  };
}

/** OpenFeature's reasons as the semantic conventions write them; what is not here is `default`. */
const REASONS: Readonly<Record<string, string>> = {
  split: 'split',
  override: 'targeting_match',
  propagated: 'cached',
  sticky: 'cached',
  killed: 'disabled',
  off: 'disabled',
  'not-started': 'disabled',
  concluded: 'static',
  ended: 'static',
};

export interface Evaluation {
  readonly experiment: string;
  readonly assigned: string;
  readonly served: string;
  readonly reason: string;
  /** The unit as it goes on record; null or left out: it does not. */
  readonly unit?: string | null;
}

/** The name of the event that an assignment is. */
export const EVALUATION = 'feature_flag.evaluation';

/** What the semantic conventions say of an assignment, and what only we know. */
export function evaluationAttributes({
  experiment,
  assigned,
  served,
  reason,
  unit,
}: Evaluation): Record<string, AttributeValue> {
  return {
    'feature_flag.key': experiment,
    'feature_flag.provider.name': 'fairlead',
    'feature_flag.result.variant': assigned,
    'feature_flag.result.reason': REASONS[reason] ?? 'default',
    'feature_flag.context.id': unit,
    'fairlead.served': served,
    'fairlead.reason': reason,
  };
}

function resourceOf({ service }: Resource): object {
  return { attributes: attributesOf({ 'service.name': service }) };
}

function scopeOf({ version }: Resource): object {
  return { name: 'fairlead', version };
}
