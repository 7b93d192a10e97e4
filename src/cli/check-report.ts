/**
 * What a sidecar's metrics say of the calls of its service: per route and host, how many carry their experiments and
 * how many lost them, and what the service has to do about it. Pure.
 */

/** The calls to one host by one route, and how they came by their experiments. */
export interface Hop {
  readonly route: string;
  /** As the route names it, or by its own name where it names none; '' for calls without one. */
  readonly host: string;
  readonly calls: number;
  readonly header: number;
  readonly baggage: number;
  readonly traceparent: number;
  readonly requestId: number;
  readonly ambiguous: number;
  readonly lost: number;
}

/** What one sidecar knows. */
export interface Coverage {
  readonly service: string;
  /** It looks at the calls of its service: without an outbound listener, or with `join: off`, it does not. */
  readonly isCounting: boolean;
  readonly hops: readonly Hop[];
}

type Count = Exclude<keyof Hop, 'route' | 'host' | 'calls'>;

const COUNTS: Readonly<Record<string, Count>> = {
  header: 'header',
  baggage: 'baggage',
  traceparent: 'traceparent',
  request_id: 'requestId',
  ambiguous: 'ambiguous',
  lost: 'lost',
};

const SAMPLE = /^fairlead_context_total\{(.*)\} ([0-9.e+]+)$/gm;
const LABEL = /([a-z]+)="((?:[^"\\]|\\.)*)"/g;

/** Reads the metrics page. */
export function readCoverage(service: string, page: string): Coverage {
  const hops = new Map<string, { -readonly [Key in keyof Hop]: Hop[Key] }>();
  for (const [, labels = '', value] of page.matchAll(SAMPLE)) {
    const {
      route = '',
      host = '',
      how = '',
    } = Object.fromEntries(Array.from(labels.matchAll(LABEL), ([, name, text]) => [name, text]));
    const key = `${route} ${host}`;
    const hop = hops.get(key) ?? { ...NO_CALLS, route, host };
    hops.set(key, hop);
    const count = COUNTS[how];
    if (count !== undefined) hop[count] += Number(value);
    hop.calls += Number(value);
  }
  return { service, isCounting: page.includes('\nfairlead_context_memory_ids'), hops: [...hops.values()] };
}

const NO_CALLS: Hop = {
  route: '',
  host: '',
  calls: 0,
  header: 0,
  baggage: 0,
  traceparent: 0,
  requestId: 0,
  ambiguous: 0,
  lost: 0,
};

/** What came between two readings; a sidecar that was started anew counts from its start. */
export function coverageSince(before: Coverage, after: Coverage): Coverage {
  const hops = after.hops.map((hop) => {
    const old = before.hops.find(({ route, host }) => route === hop.route && host === hop.host);
    if (old === undefined || old.calls > hop.calls) return hop;
    const since = { ...hop, calls: hop.calls - old.calls };
    for (const count of Object.values(COUNTS)) since[count] -= old[count];
    return since;
  });
  return { ...after, hops };
}

/** More calls than `tolerated` (0 to 1 of them) do not carry what they should. */
export function isLeaking(hop: Hop, tolerated: number): boolean {
  return hop.lost + hop.ambiguous > tolerated * hop.calls;
}

/** Where, how many, and what is to be done: whole sentences. */
export function adviceOn(service: string, hop: Hop): string {
  const { lost, ambiguous, calls } = hop;
  const where = hop.host === '' ? `route ${hop.route}` : `${hop.host} (route ${hop.route})`;
  const sentences = [];
  if (lost > 0)
    sentences.push(
      `${service} -> ${where}: ${share(lost, calls)} lost their experiments. In the code of ${service}, copy traceparent (or x-request-id, or baggage, or the experiment header) from the request that is served to the calls made for it.`,
    );
  if (ambiguous > 0)
    sentences.push(
      `${service} -> ${where}: ${share(ambiguous, calls)} bear an id that requests with different variants share. In the code of ${service}, copy the experiment header or baggage, or an x-request-id that each request has for itself.`,
    );
  return sentences.join('\n');
}

function share(part: number, whole: number): string {
  const percent = (100 * part) / whole;
  return `${part} of ${whole} calls (${percent >= 10 ? Math.round(percent) : percent.toPrecision(2)}%)`;
}
