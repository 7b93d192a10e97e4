/**
 * `fairlead check`: asks running sidecars how the calls of their services came by their experiments, and names the
 * hops where they are lost. Only reads.
 */
import { setTimeout as delay } from 'node:timers/promises';
import Table from 'cli-table3';
import { type AdminTarget, adminGet, adminGetText } from './admin-client.ts';
import { adviceOn, type Coverage, coverageSince, type Hop, isLeaking, readCoverage } from './check-report.ts';
import { NO_LINES } from './get-table.ts';
import { Exit, type Io } from './io.ts';

export interface CheckOptions {
  /** Where the sidecars are; at least one. */
  readonly admin: readonly string[];
  /** For all of them. */
  readonly token?: AdminTarget['token'];
  /** Share of the calls to a host that may lose their experiments, 0 to 1. */
  readonly tolerated: number;
  /** Look at the calls of this many seconds from now; 0: at all since the sidecars were started. */
  readonly forSeconds: number;
  readonly output: 'text' | 'json';
}

/** 1 when a hop leaks. @throws CliError (5) when a sidecar does not answer */
export async function checkCommand(options: CheckOptions, io: Io): Promise<number> {
  let sidecars = await readAll(options, io.env);
  if (options.forSeconds > 0) {
    const before = sidecars;
    await delay(1000 * options.forSeconds);
    sidecars = (await readAll(options, io.env)).map((after, index) => coverageSince(before[index]!, after));
  }
  const leaks = sidecars.flatMap(({ service, hops }) =>
    hops.filter((hop) => isLeaking(hop, options.tolerated)).map((hop) => ({ service, hop })),
  );
  if (options.output === 'json') io.out(`${JSON.stringify(jsonOf(sidecars, options), null, 2)}\n`);
  else {
    io.out(textOf(sidecars));
    for (const { service, hop } of leaks) io.out(`${adviceOn(service, hop)}\n`);
  }
  for (const { service, isCounting } of sidecars) {
    if (!isCounting)
      io.err(
        `${service}: its calls are not looked at: it has no outbound listener, or propagation.join is off\n`,
      );
  }
  return leaks.length === 0 ? Exit.ok : Exit.negative;
}

function readAll({ admin: admins, token }: CheckOptions, env: Io['env']): Promise<Coverage[]> {
  return Promise.all(
    admins.map(async (admin) => {
      const target = { admin, token };
      const { service } = (await adminGet(target, '/v1/config', env)) as { service?: unknown };
      return readCoverage(String(service ?? admin), await adminGetText(target, '/metrics'));
    }),
  );
}

function jsonOf(sidecars: readonly Coverage[], { tolerated }: CheckOptions): object {
  return {
    isLeaking: sidecars.some(({ hops }) => hops.some((hop) => isLeaking(hop, tolerated))),
    sidecars: sidecars.map(({ hops, ...sidecar }) => ({
      ...sidecar,
      hops: hops.map((hop) =>
        isLeaking(hop, tolerated)
          ? { ...hop, isLeaking: true, advice: adviceOn(sidecar.service, hop) }
          : { ...hop, isLeaking: false },
      ),
    })),
  };
}

function textOf(sidecars: readonly Coverage[]): string {
  const rows = sidecars.flatMap(({ service, hops }) => hops.map((hop) => rowOf(service, hop)));
  if (rows.length === 0) return 'no calls that carry experiments or should\n';
  const table = new Table({
    chars: NO_LINES,
    style: { 'padding-left': 0, 'padding-right': 3, head: [], border: [] },
  });
  table.push(['SERVICE', 'ROUTE', 'HOST', 'CALLS', 'CARRIED', 'JOINED', 'AMBIGUOUS', 'LOST'], ...rows);
  return `${table.toString().replace(/ +$/gm, '')}\n`;
}

function rowOf(service: string, hop: Hop): (string | number)[] {
  const { route, host, calls, header, baggage, traceparent, requestId, ambiguous, lost } = hop;
  return [
    service,
    route,
    host === '' ? '-' : host,
    calls,
    header + baggage,
    traceparent + requestId,
    ambiguous,
    lost,
  ];
}
