/**
 * `fairlead tap`: a sample of the requests that a running sidecar carries, a line each, as they end. What a line says is
 * what the sidecar gives out: names and numbers, never an id, a path or the value of a field.
 */
import type { AdminTarget } from './admin-client.ts';
import { adminStream } from './admin-stream.ts';
import { CliError, Exit, type Io } from './io.ts';
import { piece, renderLine, type Style } from './live-line.ts';
import { msText } from './live-text.ts';
import { untilInterrupted } from './until-interrupted.ts';

export interface TapOptions extends AdminTarget {
  readonly experiment?: string;
  readonly variant?: string;
  readonly route?: string;
  readonly outcome?: string;
  /** `503` or `5xx`. */
  readonly status?: string;
  /** Requests a second. */
  readonly rate: number;
  /** How many lines before it ends; undefined: until somebody ends it. */
  readonly count?: number;
  readonly output: 'text' | 'json';
}

interface TappedRequest {
  readonly at?: string;
  readonly method?: string;
  readonly route?: string;
  readonly status?: number;
  readonly durationMs?: number;
  readonly outcome?: string;
  readonly upstream?: string;
  readonly code?: string | null;
  readonly retries?: number;
  readonly experiments?: readonly {
    readonly name: string;
    readonly assigned: string;
    readonly served: string;
    readonly reason: string;
  }[];
}

const FILTERS = ['experiment', 'variant', 'route', 'outcome', 'status'] as const;

/**
 * 0 when as many were shown as were asked for, 130 on Ctrl-C. What matched and was not shown is said on stderr.
 * @throws CliError (5) when the sidecar cannot be reached, or ends it
 */
export async function tapCommand(options: TapOptions, io: Io): Promise<number> {
  const query = new URLSearchParams({ rate: String(options.rate) });
  for (const name of FILTERS) {
    const value = options[name];
    if (value !== undefined) query.set(name, value);
  }
  const interrupted = untilInterrupted();
  let left = options.count ?? Number.POSITIVE_INFINITY;
  try {
    const { signal } = interrupted;
    for await (const { event, data } of adminStream(options, `/v1/tap?${query}`, { env: io.env, signal })) {
      if (event === 'dropped') io.err(`${droppedIn(data)} more matched and are not shown\n`);
      if (event !== 'request') continue;
      io.out(options.output === 'json' ? `${data}\n` : `${tapLine(JSON.parse(data), io.isTerminal)}\n`);
      if (--left <= 0) return Exit.ok;
    }
    if (interrupted.exitCode !== null) return interrupted.exitCode;
    throw new CliError(Exit.adminUnreachable, 'the sidecar has ended the tap: it stops, or was restarted');
  } finally {
    interrupted.close();
  }
}

/** `20:15:03.120 GET api 200 1.2ms ok v2/127.0.0.1:9002 ranking=candidate (split)`. */
export function tapLine(request: TappedRequest, isColoured = false): string {
  const {
    at = '',
    method,
    route,
    status = 0,
    durationMs,
    outcome = '-',
    upstream,
    code,
    retries = 0,
  } = request;
  const marks = [code ?? '', retries > 0 ? `${retries} more ${retries === 1 ? 'attempt' : 'attempts'}` : ''];
  const pieces = [
    piece(`${at.slice(11, 23)} `, 'faint'),
    piece(`${method ?? '-'} ${route || '-'} `),
    piece(status === 0 ? 'none' : status, styleOf(outcome)),
    piece(` ${msText(durationMs)} `),
    piece(outcome, styleOf(outcome)),
    piece(` ${upstream || '-'}`, 'faint'),
    ...(request.experiments ?? []).map((experiment) => piece(` ${experimentText(experiment)}`)),
    ...marks.filter((mark) => mark !== '').map((mark) => piece(` ${mark}`, 'warning')),
  ];
  return renderLine(pieces, Number.POSITIVE_INFINITY, isColoured);
}

/** `ranking=candidate (split)`; `ranking=candidate served by control (breaker)`. */
function experimentText({
  name,
  assigned,
  served,
  reason,
}: NonNullable<TappedRequest['experiments']>[number]): string {
  return `${name}=${assigned}${served === assigned ? '' : ` served by ${served}`} (${reason})`;
}

function styleOf(outcome: string): Style {
  if (outcome === 'failure') return 'bad';
  return outcome === 'slow' ? 'warning' : outcome === 'ok' ? 'good' : 'faint';
}

function droppedIn(data: string): string {
  const { count } = JSON.parse(data) as { count?: unknown };
  return typeof count === 'number' ? String(count) : 'some';
}
