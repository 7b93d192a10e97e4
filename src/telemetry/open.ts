/**
 * Opens the access log and the exposures on their sinks, with the counters of the metrics behind them.
 * The settings are those of the Snapshot, described here by shape since telemetry does not know config.
 */
import { AccessLog } from './access-log.ts';
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

function openSink(
  log: Log,
  what: string,
  file: string | null,
  dropped: Metrics['counters']['logDropped'],
): Sink {
  const onProblem = (sentence: string) => log.warn({ sink: what }, `${what}: ${sentence}`);
  return new Sink({ target: file ?? 1, dropped, onProblem });
}
