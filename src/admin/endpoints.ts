/**
 * Endpoints taken out by hand: `POST /v1/upstreams/NAME/endpoints/ID:drain` and `:undrain`. What is under way there is
 * finished; the last endpoint of an upstream that gets requests stays in.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { DRAINED_MAX, type DrainedEndpoints } from '../control/drained-endpoints.ts';
import type { Audit } from './audit.ts';
import { actorOf } from './auth.ts';
import { readBody, reasonBody } from './body.ts';
import type { AdminUpstream, DataPlaneView } from './ports.ts';
import { AdminError } from './problem.ts';
import { resource } from './resource.ts';

export interface EndpointTargets {
  readonly dataPlane: DataPlaneView;
  readonly drained: Pick<DrainedEndpoints, 'has' | 'set'>;
  readonly audit: Audit;
}

/** Adds the resources. */
export function addEndpoints(app: FastifyInstance, targets: EndpointTargets): void {
  resource(app, '/v1/upstreams/*', {
    POST: async (request, reply) => reply.send(await change(targets, request)),
  });
}

async function change(
  { dataPlane, drained, audit }: EndpointTargets,
  request: FastifyRequest,
): Promise<object> {
  const { name, id, verb } = parse((request.params as { '*': string })['*']);
  const { reason } = readBody(request, reasonBody);
  const actor = actorOf(request);
  await dataPlane.refresh?.();
  const upstream = dataPlane.upstreams().find((one) => one.name === name);
  const isKnown = upstream?.endpoints.some((endpoint) => endpoint.id === id) === true;
  const wasOut = drained.has(name, id);
  // Who has left may be let back in before it comes again.
  if (!isKnown && !(verb === 'undrain' && wasOut))
    throw new AdminError(
      'not_found',
      `There is no endpoint ${JSON.stringify(id)} of ${JSON.stringify(name)}.`,
      {
        hint: 'GET /v1/upstreams lists them',
      },
    );
  const refusal = verb === 'drain' && !wasOut ? refusalOf(upstream!, id, drained) : null;
  const isDone = refusal === null && drained.set(name, id, verb === 'drain');
  const word = (isOut: boolean): string => (isOut ? 'draining' : 'in use');
  audit.record({
    ...{ action: verb, target: `${name}/${id}`, actor, reason, result: isDone ? 'done' : 'refused' },
    before: word(wasOut),
    after: word(drained.has(name, id)),
  });
  if (!isDone) throw new AdminError('change_invalid', refusal ?? `${DRAINED_MAX} endpoints are out already.`);
  return { upstream: name, endpoint: id, isDraining: verb === 'drain', reason };
}

/** Null: it may be taken out. */
function refusalOf(
  { name, endpoints }: AdminUpstream,
  id: string,
  drained: EndpointTargets['drained'],
): string | null {
  const isLast = endpoints.every((endpoint) => endpoint.id === id || drained.has(name, endpoint.id));
  return isLast ? `It is the last endpoint of ${name} that gets requests.` : null;
}

/** Ids hold colons and slashes: the last colon begins the verb. */
function parse(rest: string): { name: string; id: string; verb: 'drain' | 'undrain' } {
  const match = /^([^/]+)\/endpoints\/(.+):(drain|undrain)$/.exec(rest);
  if (match === null)
    throw new AdminError('not_found', 'There is no such resource.', {
      hint: 'use /v1/upstreams/NAME/endpoints/ID:drain or :undrain',
    });
  return { name: match[1]!, id: match[2]!, verb: match[3] as 'drain' | 'undrain' };
}
