/** The sentences a breaker gives for its moves: always the number and the limit. Pure text, off the request path. */

/** `250ms`, `1.5s`, `60s`: the units of the config file. */
export function formatMs(ms: number): string {
  return ms < 1000 ? `${Number(ms.toPrecision(3))}ms` : `${Number((ms / 1000).toFixed(1))}s`;
}

/** `5%`, `52.4%`. */
export function formatRatio(ratio: number): string {
  return `${Number((ratio * 100).toFixed(1))}%`;
}

/** `error rate 52.4% >= 50% (11 of 21 calls in 10s)` */
export function errorRateReason(failures: number, calls: number, limit: number, windowMs: number): string {
  return `error rate ${formatRatio(failures / calls)} >= ${formatRatio(limit)} (${failures} of ${calls} calls in ${formatMs(windowMs)})`;
}

/** `slow calls 100% >= 20% (20 of 20 calls took over 250ms, 20 of them still in flight)` */
export function slowRateReason(
  slow: number,
  calls: number,
  limit: number,
  thresholdMs: number,
  overdue: number,
): string {
  const inFlight = overdue === 0 ? '' : `, ${overdue} of them still in flight`;
  return `slow calls ${formatRatio(slow / calls)} >= ${formatRatio(limit)} (${slow} of ${calls} calls took over ${formatMs(thresholdMs)}${inFlight})`;
}

/** `failures in a row 5 >= 5` */
export function consecutiveReason(failures: number, limit: number): string {
  return `failures in a row ${failures} >= ${limit}`;
}

/** `error rate 52.4% >= 50% (...); open for 6.1s` */
export function openReason(why: string, forMs: number): string {
  return `${why}; open for ${formatMs(forMs)}`;
}

/** `was open for 5.3s; up to 5 probes may pass` */
export function halfOpenReason(openMs: number, probes: number): string {
  return `was open for ${formatMs(openMs)}; up to ${probes} probes may pass`;
}

/** `30d`, `6h`, `5m`, `90s`: for times that people give in words. */
export function formatSpan(ms: number): string {
  if (ms < 120_000) return formatMs(ms);
  for (const [unit, unitMs] of SPAN_UNITS) if (ms % unitMs === 0) return `${ms / unitMs}${unit}`;
  return formatMs(ms);
}

const SPAN_UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
] as const;

/** Those that were given up included: `32 calls hang, the first for 1s, and nothing that began after it was answered in time` */
export function stallReason(calls: number, forMs: number): string {
  return `${calls} calls hang, the first for ${formatMs(forMs)}, and nothing that began after it was answered in time`;
}
