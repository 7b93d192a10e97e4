/** Opens the service log on its sink. Apart from `open.ts`, because a worker process has no logger of its own. */
import { createLog, type Log, type LogLevel } from './log.ts';
import type { TelemetryContext } from './open.ts';
import { Sink } from './sink.ts';

/** The service log on stderr. Call `close` (or `sink.flushSync` when dying) last of all. */
export function openLog(context: TelemetryContext, level: LogLevel = 'info'): { log: Log; sink: Sink } {
  const sink = new Sink({ target: 2, dropped: context.metrics.counters.logDropped });
  return { log: createLog({ sink, service: context.service, level }), sink };
}
