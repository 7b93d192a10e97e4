/**
 * `fairlead stat`: the traffic of the last two seconds, by experiment and variant and by route, once. Only reads.
 */
import { type AdminTarget, adminGet } from './admin-client.ts';
import { CliError, Exit, type Io } from './io.ts';
import { readStats, type Stats } from './live-data.ts';
import { countText, msText, printable, shareText, wholeText } from './live-text.ts';
import { table } from './table.ts';

export interface StatOptions extends AdminTarget {
  readonly output: 'table' | 'json';
}

const HEAD = ['REQ/S', 'ERRORS', 'SLOW', 'P50', 'P90', 'P99', 'IN-FLIGHT', 'REQUESTS', 'FAILURES'];

/** 0. @throws CliError (5) when nobody answers, (1) when the sidecar has no such figures */
export async function statCommand(options: StatOptions, io: Io): Promise<number> {
  const stats = await readOrRefuse(options, io);
  io.out(
    options.output === 'json'
      ? `${JSON.stringify(stats, null, 2)}
`
      : formatStats(stats),
  );
  return Exit.ok;
}

async function readOrRefuse(options: StatOptions, io: Io): Promise<Stats> {
  const stats = await readStats(options, io.env);
  if (stats !== null) return stats;
  // Says what answers there, if it is no sidecar at all.
  await adminGet(options, '/v1/experiments', io.env);
  throw new CliError(Exit.negative, 'this sidecar has no figures of its traffic (/v1/stats); it is older');
}

/** Two tables, with nothing that a pipe to awk would stumble over. */
export function formatStats({ experiments, routes }: Stats): string {
  const variants = experiments.flatMap(({ name, variants: rows }) =>
    rows.map((row) => [
      printable(name),
      printable(row.name),
      countText(row.requestsPerSecond),
      shareText(row.errorShare),
      shareText(row.slowShare),
      msText(row.p50Ms),
      msText(row.p90Ms),
      msText(row.p99Ms),
      wholeText(row.inFlight),
      wholeText(row.requests),
      wholeText(row.failures),
    ]),
  );
  const rows = routes.map(({ name, requestsPerSecond, errorShare, p50Ms, p99Ms }) => [
    printable(name),
    countText(requestsPerSecond),
    shareText(errorShare),
    msText(p50Ms),
    msText(p99Ms),
  ]);
  const ofVariants =
    variants.length === 0 ? 'no experiments\n' : table(['EXPERIMENT', 'VARIANT', ...HEAD], variants);
  const ofRoutes = rows.length === 0 ? '' : `\n${table(['ROUTE', 'REQ/S', 'ERRORS', 'P50', 'P99'], rows)}`;
  return ofVariants + ofRoutes;
}
