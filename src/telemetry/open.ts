/**
 * Opens the access log and the exposures on their sinks, with the counters of the metrics behind them.
 * The settings are those of the Snapshot, described here by shape since telemetry does not know config.
 */
import { AccessLog } from './access-log.ts';
import { DecisionLog, type DecisionLogOptions, type DecisionSettings } from './decision-log.ts';
import { Exposures } from './exposure.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { Sink } from './sink.ts';

/** What the two share. */
export interface TelemetryContext {
  readonly service: string;
  readonly metrics: Metrics;
}

/** The access log, or null when it is off. `file` null: stdout. */
export function openAccessLog(
  context: TelemetryContext & { readonly log: Log },
  settings: { readonly enabled: boolean; readonly file: string | null },
): { accessLog: AccessLog; sink: Sink } | null {
  if (!settings.enabled) return null;
  const { counters } = context.metrics;
  const sink = openSink(context.log, 'access log', settings.file, counters.accessLogDropped);
  return { accessLog: new AccessLog(sink, context.service, counters.accessLogLines), sink };
}

/** The exposures, or null when they are off. `file` null: stdout. */
export function openExposures(
  context: TelemetryContext & { readonly log: Log },
  settings: {
    readonly enabled: boolean;
    readonly file: string | null;
    readonly key: string;
    readonly dedupeEntriesMax: number;
    readonly dedupeMs: number;
  },
): { exposures: Exposures; sink: Sink } | null {
  if (!settings.enabled) return null;
  const { counters } = context.metrics;
  const sink = openSink(context.log, 'exposures', settings.file, counters.exposuresDropped);
  const { key, dedupeEntriesMax, dedupeMs } = settings;
  const exposures = new Exposures({
    sink,
    service: context.service,
    key,
    dedupeEntriesMax,
    dedupeMs,
    written: counters.exposuresWritten,
    deduplicated: counters.exposuresDeduplicated,
  });
  return { exposures, sink };
}

/** The file of the decision log, or null when there is none. Of one process only: it is moved when it is full. */
export function openDecisionFile(
  { metrics, log }: Omit<TelemetryContext, 'service'> & { readonly log: Log },
  settings: { readonly file: string; readonly maxBytes: number } | null,
): Sink | null {
  if (settings === null) return null;
  const { file, maxBytes } = settings;
  return new Sink({
    target: file,
    fileMaxBytes: maxBytes,
    dropped: metrics.counters.decisionsDropped,
    onProblem: (sentence) => log.warn({ sink: 'decisions' }, `decisions: ${sentence}`),
  });
}

/** The decision log, writing to `target`; null without settings. `key`: that of the exposures. */
export function openDecisions(
  { service, metrics }: TelemetryContext,
  settings: DecisionSettings | null,
  {
    target,
    key,
    random,
  }: Pick<DecisionLogOptions, 'key' | 'random'> & {
    readonly target: DecisionLogOptions['target'] | null;
  },
): DecisionLog | null {
  if (settings === null || target === null) return null;
  const { decisionsWritten: written, decisionsDropped: dropped } = metrics.counters;
  const { samplePpm, isPlain } = settings;
  return new DecisionLog({ service, samplePpm, isPlain, target, key, random, written, dropped });
}

function openSink(
  log: Log,
  what: string,
  file: string | null,
  dropped: Metrics['counters']['logDropped'],
): Sink {
  const onProblem = (sentence: string) => log.warn({ sink: what }, `${what}: ${sentence}`);
  return new Sink({ target: file ?? 1, dropped, onProblem });
}
