/**
 * Faults made on purpose: `POST /v1/faults` with a mandatory end, `GET /v1/faults`, `DELETE /v1/faults/ID`.
 * Those of the config are shown as well; they are changed where they are declared.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { compileFault, type Fault, type FaultScope } from '../config/compile-fault.ts';
import { faultFields, hasKind } from '../config/schema-fault.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { didYouMean } from '../config/suggest.ts';
import { parseTimestamp } from '../config/timestamp.ts';
import { formatDuration, formatPercent, PPM } from '../config/units.ts';
import type { FaultRegistry, RunningFault } from '../control/fault-registry.ts';
import { FAULTS_MAX } from '../control/fault-registry.ts';
import type { Audit } from './audit.ts';
import { actorOf } from './auth.ts';
import { limitedTime, readBody, reasonBody, reasonField } from './body.ts';
import type { ControlPort } from './ports.ts';
import { AdminError } from './problem.ts';
import { resource } from './resource.ts';

/** What faults are made with. */
export interface FaultTargets {
  readonly control: ControlPort;
  readonly faults: Pick<FaultRegistry, 'add' | 'remove' | 'list'>;
  readonly audit: Audit;
  readonly clock: { wallMs(): number };
}

/** A fault of one day is a mistake. */
const FAULT_MAX_MS = 24 * 60 * 60 * 1000;

const faultBody = z
  .strictObject({
    target: z.string().min(1).max(200),
    ...faultFields,
    for: limitedTime.optional(),
    until: z.string().optional(),
    reason: reasonField,
  })
  .refine(hasKind, 'a fault does something: give it a delay, an abort or a reset');

type FaultBody = z.output<typeof faultBody>;

/** Adds the resources. */
export function addFaults(app: FastifyInstance, targets: FaultTargets): void {
  resource(app, '/v1/faults', {
    GET: (_request, reply) => reply.send({ faults: shown(targets) }),
    POST: (request, reply) => reply.code(201).send(inject(targets, request)),
  });
  resource(app, '/v1/faults/:id', {
    DELETE: (request, reply) => reply.send(end(targets, request)),
  });
}

function inject({ control, faults, audit, clock }: FaultTargets, request: FastifyRequest): unknown {
  const body = readBody(request, faultBody);
  const actor = actorOf(request);
  const refuse = (message: string, path: string): never => {
    const { target, reason } = body;
    audit.record({ action: 'inject', target, actor, reason, result: 'refused', before: '', after: '' });
    throw new AdminError('change_invalid', message, { path });
  };
  const scope = scopeOf(body.target, control.snapshot);
  if (typeof scope === 'string') return refuse(scope, 'target');
  const forMs = timeOf(body, clock.wallMs());
  if (typeof forMs === 'string') return refuse(forMs, body.until === undefined ? 'for' : 'until');
  const added = faults.add({ ...scope, fault: compileFault(body), forMs, reason: body.reason, actor });
  return added === null
    ? refuse(`There are ${FAULTS_MAX} faults already.`, '')
    : runningView(added, clock.wallMs());
}

function end({ faults }: FaultTargets, request: FastifyRequest): unknown {
  const { id } = request.params as { id: string };
  const { reason } = readBody(request, reasonBody);
  if (!faults.remove(id, actorOf(request), reason))
    throw new AdminError('not_found', `There is no fault ${JSON.stringify(id)}.`, {
      hint: 'GET /v1/faults lists them; those of the config end there',
    });
  return { ended: id };
}

/** `ROUTE`, `EXPERIMENT/VARIANT` or `ROUTE/EXPERIMENT/VARIANT`; a sentence when it is none of these. */
function scopeOf(target: string, { routes, experiments }: Snapshot): FaultScope | string {
  const parts = target.split('/');
  if (parts.length > 3) return `${JSON.stringify(target)} has more than three names.`;
  const route = parts.length === 2 ? null : parts[0]!;
  const [experiment, variant] = parts.length === 1 ? [null, null] : parts.slice(-2);
  const routeNames = [...routes.inbound.all, ...routes.outbound.all].map(({ name }) => name);
  if (route !== null && !routeNames.includes(route)) return missing('route', route, routeNames);
  if (experiment == null || variant == null) return { route, experiment: null, variant: null };
  const found = experiments.get(experiment);
  if (found === undefined) return missing('experiment', experiment, [...experiments.keys()]);
  const variants = found.variants.map(({ name }) => name);
  if (!variants.includes(variant)) return missing('variant', variant, variants);
  return { route, experiment, variant };
}

function missing(what: string, name: string, known: readonly string[]): string {
  return `There is no ${what} ${JSON.stringify(name)}${didYouMean(name, known) || '.'}`;
}

/** How long it lasts; a sentence when that is not said, or said twice, or wrong. */
function timeOf({ for: forMs, until }: FaultBody, wallMs: number): number | string {
  if ((forMs === undefined) === (until === undefined)) return 'Say when it ends: either for or until.';
  if (until === undefined) return forMs!;
  const parsed = parseTimestamp(until);
  if (!parsed.ok) return `${parsed.problem}.`;
  const leftMs = parsed.value - wallMs;
  return leftMs > 0 && leftMs <= FAULT_MAX_MS ? leftMs : 'It must end after now and within 24h.';
}

function shown({ control, faults, clock }: FaultTargets): unknown[] {
  const declared = control.snapshot.faults.map(({ fault, untilWallMs, ...scope }) => ({
    id: null,
    source: 'config',
    ...scopeView(scope),
    ...faultView(fault),
    endsAt: untilWallMs === Number.POSITIVE_INFINITY ? null : new Date(untilWallMs).toISOString(),
    isOver: untilWallMs <= clock.wallMs(),
  }));
  return [...faults.list().map((one) => runningView(one, clock.wallMs())), ...declared];
}

function runningView(one: RunningFault, wallMs: number): object {
  return {
    id: one.id,
    source: 'admin',
    ...scopeView(one),
    ...faultView(one.fault),
    startedAt: new Date(one.startedAtMs).toISOString(),
    endsAt: new Date(one.endsAtMs).toISOString(),
    left: formatDuration(Math.max(0, Math.round((one.endsAtMs - wallMs) / 1000) * 1000)),
    reason: one.reason,
    actor: one.actor,
  };
}

function scopeView({ route, experiment, variant }: FaultScope): object {
  return { route, experiment, variant };
}

function faultView({ delay, abort, reset, when }: Fault): object {
  const rate = (ratio: number): string => formatPercent(Math.round(ratio * PPM));
  return {
    delay:
      delay === null
        ? null
        : {
            duration: formatDuration(delay.durationMs),
            jitter: formatDuration(delay.jitterMs),
            rate: rate(delay.ratio),
          },
    abort: abort === null ? null : { status: abort.status, rate: rate(abort.ratio) },
    reset: reset === null ? null : { rate: rate(reset.ratio) },
    when,
  };
}
