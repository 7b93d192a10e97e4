/**
 * Probes and metrics: the only part of the admin API that is also on the listener the kubelet and Prometheus
 * reach. Read-only. Ready means "send traffic here": not while starting, not from SIGTERM on, and never
 * "my upstream is well", which would take every replica out at once.
 */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { CONTENT_TYPES, type PageFormat, pageFormat } from '../telemetry/page.ts';
import type { DataPlaneView } from './ports.ts';
import { resource } from './resource.ts';

/** The metrics page, in the formats that it is to be had in. */
export interface MetricsPage {
  readonly formats: readonly PageFormat[];
  render(format: PageFormat): Promise<string>;
}

/** What the probes look at. */
export interface ProbeSources {
  readonly dataPlane: Pick<DataPlaneView, 'isReady' | 'isStarted' | 'inFlight' | 'overload' | 'refresh'>;
  readonly metrics: MetricsPage;
}

/** Adds `/livez`, `/readyz`, `/startupz`, `/metrics` and their aliases. */
export function addProbes(app: FastifyInstance, { dataPlane, metrics }: ProbeSources): void {
  const checks = () => [
    { name: 'started', isOk: dataPlane.isStarted },
    { name: 'accepting', isOk: dataPlane.isReady() },
  ];
  for (const url of ['/livez', '/ping']) {
    resource(app, url, { GET: (_request, reply) => plain(reply, 200, 'ok\n') });
  }
  for (const url of ['/readyz', '/ready']) {
    resource(app, url, {
      GET: async (request, reply) => {
        const isVerbose = Object.hasOwn(request.query as object, 'verbose');
        if (isVerbose) await dataPlane.refresh?.();
        const lines = isVerbose
          ? `${describe(checks())}${overloadLine(dataPlane)}requests in flight: ${dataPlane.inFlight()}\n`
          : '';
        const isReady = checks().every(({ isOk }) => isOk);
        return plain(reply, isReady ? 200 : 503, `${lines}${isReady ? 'ok' : 'not ready'}\n`);
      },
    });
  }
  resource(app, '/startupz', {
    GET: (_request, reply) =>
      dataPlane.isStarted ? plain(reply, 200, 'ok\n') : plain(reply, 503, 'starting\n'),
  });
  for (const url of ['/metrics', '/stats/prometheus']) {
    resource(app, url, {
      GET: async (request, reply) => {
        const format = pageFormat(request.headers.accept, metrics.formats);
        const page = await metrics.render(format);
        return reply.header('content-type', CONTENT_TYPES[format]).header('vary', 'accept').send(page);
      },
    });
  }
}

function describe(checks: readonly { name: string; isOk: boolean }[]): string {
  return checks.map(({ name, isOk }) => `[${isOk ? '+' : '-'}] ${name} ${isOk ? 'ok' : 'no'}\n`).join('');
}

/** Not a check: who is shed here would be shed elsewhere as well. '' where nothing is ever shed. */
function overloadLine(dataPlane: Pick<DataPlaneView, 'overload'>): string {
  const { shedding } = dataPlane.overload();
  if (shedding === null) return '';
  const { level, upTo, reason } = shedding;
  return `overload: level ${level}${upTo === null ? '' : `, shed up to ${upTo}`}${reason === '' ? '' : `; ${reason}`}\n`;
}

function plain(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).header('content-type', 'text/plain; charset=utf-8').send(text);
}
