/**
 * `fairlead load`: autocannon with a row per variant. The variant is what the response says in
 * `x-fairlead-variant`; with `--experiment` each variant is asked for by override instead, in turns, and rows
 * are by what was asked for. Closed loop and one process: for a look, not for a benchmark (see bench/).
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import autocannon from 'autocannon';
import Table from 'cli-table3';
import { CliError, Exit, type Io } from './io.ts';
import { Progress } from './progress.ts';

export interface LoadOptions {
  readonly url: string;
  readonly connections: number;
  /** Seconds. */
  readonly duration: number;
  /** `name: value` each. */
  readonly header: readonly string[];
  readonly unitHeader: string;
  /** Different user ids sent. */
  readonly users: number;
  readonly experiment?: string;
  /** Comma-separated variant names, used with `experiment`. */
  readonly variants: string;
  readonly output: 'table' | 'json';
}

/** What was seen of one variant. Durations in milliseconds. */
export interface LoadRow {
  readonly variant: string;
  readonly requests: number;
  readonly sharePercent: number;
  /** Responses below 500. */
  readonly ok: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
}

interface Tally {
  requests: number;
  failed: number;
  readonly durationsUs: RecordableHistogram;
}

/** More labels than this are counted together: the header is the server's, and may hold anything. */
const ROWS_MAX = 50;
const VARIANT_HEADER = 'x-fairlead-variant';
const OVERRIDE_HEADER = 'x-experiment-override';
const NO_VARIANT = '(no variant)';

/** Sends the load and prints the rows; 1 when a response was 5xx or a connection failed. */
export async function loadCommand(options: LoadOptions, io: Io): Promise<number> {
  const tallies = new Map<string, Tally>();
  const progress = new Progress(io, 'seconds', options.duration);
  let seconds = 0;
  const second = setInterval(() => progress.reached(++seconds), 1000);
  const { errors } = await sendLoad(options, tallies).finally(() => {
    clearInterval(second);
    progress.end();
  });
  const rows = toRows(tallies);
  if (options.output === 'json') io.out(`${JSON.stringify({ rows, connectionErrors: errors })}\n`);
  else io.out(formatRows(rows, errors));
  if (rows.length === 0) throw new CliError(Exit.timedOut, `no response came from ${options.url}`);
  return errors > 0 || rows.some((row) => row.failed > 0) ? Exit.negative : Exit.ok;
}

function sendLoad(options: LoadOptions, tallies: Map<string, Tally>): Promise<{ errors: number }> {
  const fixed = parseHeaders(options.header);
  const forced =
    options.experiment === undefined ? [] : options.variants.split(',').map((name) => name.trim());
  // autocannon calls onResponse and then emits 'response' for the same message, in one turn.
  let label = NO_VARIANT;
  let user = 0;
  const requests: autocannon.Request[] = (forced.length === 0 ? [null] : forced).map((variant) => ({
    method: 'GET',
    setupRequest: (request: autocannon.Request) => {
      user = (user + 1) % options.users;
      const override = variant === null ? {} : { [OVERRIDE_HEADER]: `${options.experiment}=${variant}` };
      return { ...request, headers: { ...fixed, ...override, [options.unitHeader]: `load-${user}` } };
    },
    onResponse: (_status: number, _body: string, _context: object, headers?: object) => {
      label = variant ?? findVariant(headers ?? {});
    },
  }));
  const { connections, duration, url } = options;
  return new Promise((resolve, reject) => {
    const instance = autocannon({ url, connections, duration, requests }, (error: Error | null, result) => {
      process.removeListener('SIGINT', stop);
      if (error) reject(error);
      else resolve({ errors: result.errors + result.timeouts });
    });
    const stop = (): void => instance.stop?.();
    process.once('SIGINT', stop);
    instance.on('response', (_client, status, _bytes, durationMs) =>
      record(tallies, label, status, durationMs),
    );
  });
}

function parseHeaders(fields: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const field of fields) {
    const colon = field.indexOf(':');
    if (colon < 1)
      throw new CliError(Exit.usage, `--header takes "name: value", got ${JSON.stringify(field)}`);
    headers[field.slice(0, colon).trim()] = field.slice(colon + 1).trim();
  }
  return headers;
}

function findVariant(headers: object): string {
  for (const [name, value] of Object.entries(headers)) {
    if (name.toLowerCase() === VARIANT_HEADER) return String(value);
  }
  return NO_VARIANT;
}

function record(tallies: Map<string, Tally>, label: string, status: number, durationMs: number): void {
  const key = tallies.has(label) || tallies.size < ROWS_MAX ? label : '(others)';
  let tally = tallies.get(key);
  if (tally === undefined) {
    tally = { requests: 0, failed: 0, durationsUs: createHistogram() };
    tallies.set(key, tally);
  }
  tally.requests++;
  if (status >= 500) tally.failed++;
  tally.durationsUs.record(Math.max(1, Math.round(durationMs * 1000)));
}

function toRows(tallies: ReadonlyMap<string, Tally>): LoadRow[] {
  let total = 0;
  for (const tally of tallies.values()) total += tally.requests;
  const toMs = (us: number): number => Math.round(us / 10) / 100;
  return [...tallies]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([variant, tally]) => ({
      variant,
      requests: tally.requests,
      sharePercent: Math.round((tally.requests / total) * 10_000) / 100,
      ok: tally.requests - tally.failed,
      failed: tally.failed,
      p50Ms: toMs(tally.durationsUs.percentile(50)),
      p90Ms: toMs(tally.durationsUs.percentile(90)),
      p99Ms: toMs(tally.durationsUs.percentile(99)),
    }));
}

function formatRows(rows: readonly LoadRow[], errors: number): string {
  const table = new Table({
    head: ['variant', 'requests', 'share', 'ok', '5xx', 'p50 ms', 'p90 ms', 'p99 ms'],
    style: { head: [], border: [] },
  });
  for (const row of rows) {
    table.push([
      row.variant,
      row.requests,
      `${row.sharePercent.toFixed(2)}%`,
      row.ok,
      row.failed,
      row.p50Ms,
      row.p90Ms,
      row.p99Ms,
    ]);
  }
  return `${table.toString()}\nconnection errors and timeouts: ${errors}\n`;
}
