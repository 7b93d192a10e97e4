/**
 * The HTTP servers for people and tools: the admin API (loopback or a unix socket) and the probe listener that
 * the kubelet and Prometheus reach. Neither is ever on the data path, and neither shares a port with it.
 */
import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Clock } from '../base/clock.ts';
import type { SocketAddress } from '../config/snapshot.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { addAccess } from './access.ts';
import { API_HEADER, API_VERSION } from './api-header.ts';
import { addApprovals } from './approval-resources.ts';
import { Approvals } from './approvals.ts';
import type { Audit } from './audit.ts';
import { addEvents, EVENTS_URL, type EventTargets } from './collected-events.ts';
import { limitConnections } from './connection-limit.ts';
import { addDiffs, type DiffTargets } from './diffs.ts';
import { addEndpoints, type EndpointTargets } from './endpoints.ts';
import { addExplain } from './explain.ts';
import { addFaults, type FaultTargets } from './faults.ts';
import { addHistory, type HistoryTargets } from './history.ts';
import { addLive, type LiveSources } from './live.ts';
import { addOfrep, OFREP_ROOT } from './ofrep.ts';
import { addPage } from './page.ts';
import type { PageFile } from './page-files.ts';
import type { ControlPort, DataPlaneView, Explain, IdentityReader } from './ports.ts';
import { addProbes, type ProbeSources } from './probes.ts';
import { AdminError, sendProblem, toAdminError } from './problem.ts';
import { addRest } from './rest.ts';
import { addResults, type ResultsTargets } from './results.ts';
import { addRollouts, type RolloutPort } from './rollouts.ts';

/** A config to be validated is the largest thing that is sent here. */
const BODY_MAX_BYTES = 1024 * 1024;
/** A request that has not arrived after this is cut off. */
const REQUEST_MS = 10_000;
const KEEP_ALIVE_MS = 5000;
/** Breakers have three names of up to 63 characters in the path. */
const PARAMETER_MAX_CHARS = 512;

/** The resources that show numbers of the data plane. */
const COUNTED = ['/v1/breakers', '/v1/upstreams', '/v1/overload', '/clusters'];

/** Everything the admin API reads and acts on. */
export interface AdminOptions {
  readonly control: ControlPort;
  readonly dataPlane: DataPlaneView;
  readonly identity: IdentityReader;
  readonly explain: Explain;
  readonly faults: FaultTargets['faults'];
  readonly drained: EndpointTargets['drained'];
  readonly rollouts: RolloutPort;
  readonly results: ResultsTargets['results'];
  readonly analysis: EventTargets['analysis'] & HistoryTargets['analysis'];
  readonly mirrors: DiffTargets['mirrors'];
  readonly live: LiveSources;
  readonly metrics: Pick<Metrics, 'render' | 'formats' | 'evaluations' | 'admin'>;
  readonly audit: Audit;
  readonly log: Log;
  readonly clock: Clock;
  /** Open at one time. */
  readonly connectionsMax: number;
  /** What is on `/`; null or left out: a line that says how to build it. */
  readonly page?: readonly PageFile[] | null;
}

/** The admin API, not listening yet; `inject` it in tests. The tokens are those of the Snapshot in force. */
export async function buildAdmin(options: AdminOptions): Promise<FastifyInstance> {
  const app = newServer(options, { [API_HEADER]: API_VERSION });
  await addAccess(app, options);
  addFreshness(app, options);
  addProbes(app, options);
  const approvals = new Approvals(options.audit, options.clock);
  addRest(app, { ...options, approvals });
  addApprovals(app, approvals);
  addRollouts(app, options);
  addResults(app, { ...options, approvals });
  addHistory(app, options);
  addEvents(app, options);
  addDiffs(app, options);
  addFaults(app, options);
  addEndpoints(app, options);
  addOfrep(app, options);
  addExplain(app, options);
  addLive(app, options);
  addPage(app, options.page ?? null);
  await app.ready();
  return app;
}

/** What is shown is of now, and an answer to a change says that it holds: also where other processes carry the traffic. */
function addFreshness(
  app: FastifyInstance,
  { dataPlane, audit }: Pick<AdminOptions, 'dataPlane' | 'audit'>,
): void {
  app.addHook('preHandler', async ({ method, routeOptions: { url = '' } }) => {
    const isCounted = COUNTED.some((resource) => url.startsWith(resource));
    if (method === 'GET' && isCounted) await dataPlane.refresh?.();
  });
  app.addHook('onSend', async (request) => {
    if (!isRead(request)) await Promise.all([dataPlane.settled?.(), audit.flush()]);
  });
}

/** A flag is asked for with a POST, and changes nothing; events change no rules. */
function isRead({ method, routeOptions: { url = '' } }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD' || url.startsWith(OFREP_ROOT) || url === EVENTS_URL;
}

/** The probe listener: `/metrics`, `/livez`, `/readyz`, `/startupz` and nothing else. */
export async function buildProbes(
  sources: ProbeSources & Pick<AdminOptions, 'log' | 'connectionsMax'>,
): Promise<FastifyInstance> {
  const app = newServer(sources, {});
  addProbes(app, sources);
  await app.ready();
  return app;
}

/**
 * Listens. A unix socket left by a dead process is replaced, one that answers is not; it is for its owner only.
 * @throws the system's error (EADDRINUSE, EACCES, ...) when it cannot
 * @returns the port, or 0 for a unix socket
 */
export async function listen(app: FastifyInstance, address: SocketAddress): Promise<number> {
  if (address.kind === 'unix') {
    await removeStaleSocket(address.path);
    await app.listen({ path: address.path });
    await chmod(address.path, 0o600);
    return 0;
  }
  await app.listen({ host: address.host, port: address.port });
  const bound = app.server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : 0;
}

/** No route has a JSON schema, bodies are read by zod: fastify need not load its compilers for them, ajv among them. */
const WITHOUT_SCHEMAS = {
  buildValidator: neverBuilt,
  buildSerializer: neverBuilt,
};

function neverBuilt(): never {
  throw new Error('a route of the admin API has a JSON schema, and there is nothing to compile it with');
}

/** @param headers Of every answer. */
function newServer(
  { log, connectionsMax }: Pick<AdminOptions, 'log' | 'connectionsMax'>,
  headers: Readonly<Record<string, string>>,
): FastifyInstance {
  const app = fastify({
    logger: false,
    schemaController: { compilersFactory: WITHOUT_SCHEMAS },
    bodyLimit: BODY_MAX_BYTES,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: PARAMETER_MAX_CHARS },
    // What cannot be routed is seen by no hook.
    frameworkErrors: (_error, _request, reply: FastifyReply) =>
      sendProblem(reply.headers(headers), new AdminError('request_invalid', 'The URL cannot be read.')),
  });
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers);
    done();
  });
  limitConnections(app.server, connectionsMax);
  app.removeContentTypeParser('text/plain');
  const parseJson = app.getDefaultJsonParser('error', 'error');
  // Where everything in a body is optional it may be left out, whatever the client calls what it does not send.
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body: string, done) =>
    body === '' ? done(null, undefined) : parseJson(request, body, done),
  );
  app.setErrorHandler((error, request, reply) => {
    const known = toAdminError(error);
    if (known !== null) return sendProblem(reply, known);
    log.error({ err: error, url: request.routeOptions.url }, 'the admin API failed; this is a bug');
    return sendProblem(reply, new AdminError('internal', 'The log has the details.'));
  });
  app.setNotFoundHandler((_request, reply) =>
    sendProblem(
      reply,
      new AdminError('not_found', 'There is no such resource.', { hint: 'docs/admin-api.md lists them' }),
    ),
  );
  return app;
}

/** Only ECONNREFUSED says that nobody listens, and a plain file says that too. */
async function removeStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (found === null || !found.isSocket()) return;
  const isStale = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
  if (isStale) await unlink(path);
}
