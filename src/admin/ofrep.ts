/**
 * OFREP, the OpenFeature Remote Evaluation Protocol (github.com/open-feature/protocol, version 0.1.0): the application
 * asks its sidecar for the variant that the request was routed by. An experiment is a flag. Asking changes nothing: no
 * exposure is recorded, since the request that was routed is the exposure.
 */
import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../base/clock.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { evaluate } from '../experiment/evaluate.ts';
import type { Assignment, Experiment, RequestAttributes } from '../experiment/model.ts';
import { evaluationOrder } from '../experiment/prerequisite.ts';
import { NO_ENTROPY } from '../experiment/stand-in.ts';
import { type Carried, readCarried } from '../propagation/header.ts';
import type { EvaluationMetrics } from '../telemetry/evaluation-metrics.ts';
import { answerOf, type FlagAnswer, type FlagFailure, keyMissing } from './ofrep-answer.ts';
import { ContextError, type EvaluationContext, readContext } from './ofrep-context.ts';
import type { ControlPort, DataPlaneView, IdentityReader } from './ports.ts';
import { toAdminError } from './problem.ts';
import { resource } from './resource.ts';

/** What is below it only reads, whatever the method. */
export const OFREP_ROOT = '/ofrep/';
const FLAGS = `${OFREP_ROOT}v1/evaluate/flags`;
/** A context describes one request, whose head is not larger either. */
const BODY_MAX_BYTES = 64 * 1024;

export interface OfrepSources {
  readonly control: Pick<ControlPort, 'snapshot'>;
  readonly dataPlane: Pick<DataPlaneView, 'isOpen' | 'carried'>;
  readonly identity: IdentityReader;
  readonly metrics: { readonly evaluations: EvaluationMetrics };
  /** For experiments with dates. */
  readonly clock: Pick<Clock, 'wallMs'>;
}

/** Adds the two resources. */
export function addOfrep(app: FastifyInstance, sources: OfrepSources): void {
  app.register((scope, _options, done) => {
    const limited = { bodyLimit: BODY_MAX_BYTES };
    scope.setErrorHandler((error, request, reply) => sendFailure(error, { request, reply, sources }));
    resource(scope, FLAGS, { POST: (request, reply) => sendAll(sources, request, reply) }, limited);
    resource(scope, `${FLAGS}/*`, { POST: (request, reply) => sendOne(sources, request, reply) }, limited);
    done();
  });
}

async function sendOne(
  sources: OfrepSources,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { snapshot } = sources.control;
  const key = keyOf(request) ?? '';
  const experiment = snapshot.experiments.get(key);
  if (experiment === undefined) {
    sources.metrics.evaluations.failed('FLAG_NOT_FOUND');
    const errorDetails = 'there is no experiment of this name';
    return reply.code(404).send({ key, errorCode: 'FLAG_NOT_FOUND', errorDetails });
  }
  const [flag] = await flagsOf([experiment], contextOf(request, sources), sources);
  return reply.code(flag !== undefined && 'errorCode' in flag ? 400 : 200).send(flag);
}

async function sendAll(
  sources: OfrepSources,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { experiments } = sources.control.snapshot;
  const flags = await flagsOf([...experiments.values()], contextOf(request, sources), sources);
  const text = JSON.stringify({ flags });
  const etag = `"${createHash('sha256').update(text).digest('base64url')}"`;
  reply.header('etag', etag);
  const known = request.headers['if-none-match'] ?? '';
  const isKnown = known.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
  return isKnown ? reply.code(304).send() : reply.type('application/json; charset=utf-8').send(text);
}

function contextOf({ body }: FastifyRequest, { control, identity }: OfrepSources): EvaluationContext {
  return readContext(body, (described) => identity.claims(described, control.snapshot));
}

async function flagsOf(
  wanted: readonly Experiment[],
  { targetingKey, request }: EvaluationContext,
  { control, dataPlane, identity, metrics, clock }: OfrepSources,
): Promise<(FlagAnswer | FlagFailure)[]> {
  const { snapshot } = control;
  const carried = await carriedBy(request, snapshot, { dataPlane, identity });
  const assignments = evaluate(
    evaluationOrder(wanted, snapshot.experiments) ?? wanted,
    {
      request,
      context: carried,
      // Who may override is for a listener to say, by header or by routing key. What it let through is carried.
      overrides: null,
      ignoresRoutingKeys: true,
      excluded: snapshot.classifier?.classOf(request) ?? null,
      sticky: identity.sticky(request, snapshot),
      random: NO_ENTROPY,
      wallMs: clock.wallMs(),
    },
    { targetingKey },
  );
  return wanted.map((experiment) => {
    const assignment = assignments.get(experiment) as Assignment;
    if (assignment.reason === 'no-unit' && targetingKey === '') {
      metrics.evaluations.failed('TARGETING_KEY_MISSING');
      return keyMissing(experiment.name);
    }
    metrics.evaluations.evaluated(experiment.name, assignment.variant.name, assignment.reason);
    const routes = routesOf(snapshot).get(experiment) ?? [];
    return answerOf(assignment, { configHash: snapshot.hash, routes, dataPlane });
  });
}

/** What the request carries that the application got: by its fields, by a signed token, or by its ids if it has only these. */
async function carriedBy(
  request: RequestAttributes,
  snapshot: Snapshot,
  { dataPlane, identity }: Pick<OfrepSources, 'dataPlane' | 'identity'>,
): Promise<Carried | null> {
  const { propagation } = snapshot;
  const baggage = propagation.baggage ? request.header('baggage') : null;
  const carried = readCarried(request.header(propagation.header), baggage);
  if (carried !== null && carried.members.length > 0) return carried;
  const vouched = identity.vouched(request, snapshot);
  if (vouched !== null) return vouched;
  const traceparent = request.header('traceparent') ?? '';
  const requestId = request.header('x-request-id') ?? '';
  if (propagation.join === null || `${traceparent}${requestId}` === '') return carried;
  const text = (await dataPlane.carried?.(traceparent, requestId)) ?? '';
  return text === '' ? carried : readCarried(text, null);
}

/** By experiment, the names of the routes that it is on; worked out once for a Snapshot. */
const routeNames = new WeakMap<Snapshot, ReadonlyMap<Experiment, readonly string[]>>();

function routesOf(snapshot: Snapshot): ReadonlyMap<Experiment, readonly string[]> {
  const known = routeNames.get(snapshot);
  if (known !== undefined) return known;
  const names = new Map<Experiment, string[]>();
  for (const route of [...snapshot.routes.inbound.all, ...snapshot.routes.outbound.all]) {
    for (const { experiment } of route.experiments) {
      const list = names.get(experiment);
      if (list === undefined) names.set(experiment, [route.name]);
      else list.push(route.name);
    }
  }
  routeNames.set(snapshot, names);
  return names;
}

interface Failing {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly sources: OfrepSources;
}

/** In OpenFeature's words, where it has some; what else goes wrong is told as everywhere in the admin API. */
function sendFailure(error: unknown, { request, reply, sources }: Failing): FastifyReply {
  const failure = error instanceof ContextError ? error : unreadable(error);
  if (failure === null) throw error;
  sources.metrics.evaluations.failed(failure.code);
  return reply
    .code(400)
    .send({ key: keyOf(request), errorCode: failure.code, errorDetails: failure.message });
}

function unreadable(error: unknown): ContextError | null {
  return toAdminError(error)?.code === 'request_invalid'
    ? new ContextError('PARSE_ERROR', 'the body is no JSON')
    : null;
}

/** Undefined for the bulk request. */
function keyOf(request: FastifyRequest): string | undefined {
  return (request.params as { '*'?: string })['*'];
}
