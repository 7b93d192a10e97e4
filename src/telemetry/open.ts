/**
 * Opens the access log and the exposures on their sinks, with the counters of the metrics behind them.
 * The settings are those of the Snapshot, described here by shape since telemetry does not know config.
 */
import type { Clock } from '../base/clock.ts';
import { AccessLog } from './access-log.ts';
import { DecisionLog, type DecisionLogOptions, type DecisionSettings } from './decision-log.ts';
import { Exposures, type ExposuresOptions } from './exposure.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { LossWatch, lossSentence } from './pipeline/loss.ts';
import { Pipeline, type PipelineOptions } from './pipeline/pipeline.ts';
import { Sink } from './sink.ts';
import { Tracing, type TracingOptions } from './tracing.ts';

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

export type ExposureLogSettings = Pick<
  ExposuresOptions,
  'format' | 'unitKeys' | 'isPlain' | 'dedupeEntriesMax' | 'dedupeMs'
> & {
  readonly enabled: boolean;
  /** Null: stdout. */
  readonly file: string | null;
};

/** The exposures, or null when they are off. They go to `target`, which stays the caller's, or else to their file. */
export function openExposures(
  context: TelemetryContext & { readonly log: Log },
  settings: ExposureLogSettings,
  target: ExposuresOptions['target'] | null = null,
): { exposures: Exposures; sink: Sink | null } | null {
  if (!settings.enabled) return null;
  const { counters } = context.metrics;
  const sink =
    target === null ? openSink(context.log, 'exposures', settings.file, counters.exposuresDropped) : null;
  const { format, unitKeys, isPlain, dedupeEntriesMax, dedupeMs } = settings;
  const exposures = new Exposures({
    target: target ?? sink!,
    service: context.service,
    ...{ format, unitKeys, isPlain, dedupeEntriesMax, dedupeMs },
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

/** What makes spans of requests and sends them; null without settings. Each process has its own. */
export function openTracing(
  { service, metrics, log }: TelemetryContext & { readonly log: Log },
  settings: Pick<TracingOptions, 'post' | 'samplePpm'> | null,
  { clock, random, version }: Pick<PipelineOptions, 'clock' | 'random' | 'version'>,
): Tracing | null {
  if (settings === null) return null;
  const { spansSent: sent, spansDropped: dropped } = metrics.counters;
  return new Tracing({ clock, random, log, resource: { service, version }, ...settings, sent, dropped });
}

/** What takes exposures to their sinks; null without a spool. Of one process only. */
export function openPipeline(
  { service, metrics, log }: TelemetryContext & { readonly log: Log },
  settings: Pick<PipelineOptions, 'sinks' | 'lossLimitPpm'> & {
    readonly enabled: boolean;
    readonly spool: PipelineOptions['spool'] | null;
  },
  { clock, random, version }: Pick<PipelineOptions, 'clock' | 'random' | 'version'>,
): Pipeline | null {
  const { enabled, spool, sinks, lossLimitPpm } = settings;
  if (!enabled || spool === null) return null;
  const { counters } = metrics;
  const pipeline = new Pipeline({
    clock,
    random,
    log,
    counters,
    service,
    version,
    spool,
    sinks,
    lossLimitPpm,
  });
  metrics.pipeline.setSource(() => pipeline.view());
  metrics.pipeline.setLossSource(() => pipeline.loss.look());
  return pipeline;
}

/** What is lost of exposures that one process writes to a file; null: there are none. */
export function openLossWatch(
  { metrics, log }: Omit<TelemetryContext, 'service'> & { readonly log: Log },
  settings: { readonly enabled: boolean; readonly lossLimitPpm: number },
  clock: Clock,
): LossWatch | null {
  if (!settings.enabled) return null;
  const { exposuresWritten, exposuresDropped } = metrics.counters;
  const watch = new LossWatch({
    clock,
    limitPpm: settings.lossLimitPpm,
    read: () => [{ stage: 'file', kept: exposuresWritten.value, lost: exposuresDropped.value }],
    onChange: (change) => log.warn({ sink: 'exposures' }, `exposures: ${lossSentence(change)}`),
  });
  metrics.pipeline.setLossSource(() => watch.look());
  return watch;
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
