/**
 * Rollouts: `GET /v1/rollouts` and what people may tell one by `POST /v1/experiments/NAME:VERB`. Every change goes through
 * the loop that follows it, which puts it on record.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { RolloutVerb } from '../analysis/rollout/rollout-action.ts';
import { isOver } from '../analysis/rollout/rollout-state.ts';
import { formatDuration, formatPercent } from '../config/units.ts';
import type { RolloutResult, Rollouts, RolloutView } from '../control/rollouts.ts';
import type { Approvals } from './approvals.ts';
import type { Audit } from './audit.ts';
import { actorOf } from './auth.ts';
import { readBody, reasonBody, reasonField } from './body.ts';
import type { ControlPort } from './ports.ts';
import { AdminError } from './problem.ts';
import { resource } from './resource.ts';

export type RolloutPort = Pick<Rollouts, 'list' | 'start' | 'act'>;

/** What rollouts are read from and told by. */
export interface RolloutTargets {
  readonly control: Pick<ControlPort, 'snapshot'>;
  readonly rollouts: RolloutPort;
  readonly audit: Audit;
  readonly approvals: Approvals;
}

/** `pause` alone is the experiment's: nobody new is assigned. */
const VERBS: Readonly<Record<string, RolloutVerb | 'start'>> = {
  'start-rollout': 'start',
  promote: 'promote',
  'pause-rollout': 'pause',
  resume: 'resume',
  abort: 'abort',
  undo: 'undo',
};

const startBody = z.strictObject({ reason: reasonField, skipPreflight: z.boolean().optional() });

/** Adds the resources that are read. */
export function addRollouts(app: FastifyInstance, { rollouts }: Pick<RolloutTargets, 'rollouts'>): void {
  resource(app, '/v1/rollouts', {
    GET: (_request, reply) => reply.send({ rollouts: rollouts.list().map(viewOf) }),
  });
  resource(app, '/v1/rollouts/:name', {
    GET: (request, reply) => reply.send(one(rollouts, (request.params as { name: string }).name)),
  });
}

/** Whether a verb of an experiment is one of its rollout. */
export function isRolloutVerb(verb: string): boolean {
  return Object.hasOwn(VERBS, verb);
}

/** What is asked of the rollout of an experiment. */
export interface RolloutRequest {
  readonly name: string;
  readonly verb: string;
  /** The experiment is on a protected route. */
  readonly isProtected: boolean;
}

/**
 * Tells the rollout of an experiment, or asks for a second person: what gives the candidate no more takes none.
 * @throws AdminError when it does not do so, and why
 */
export async function changeRollout(
  targets: RolloutTargets,
  { name, verb, isProtected }: RolloutRequest,
  request: FastifyRequest,
): Promise<unknown> {
  const told = VERBS[verb]!;
  const body = told === 'start' ? readBody(request, startBody) : readBody(request, reasonBody);
  const change = { verb: told, skipPreflight: 'skipPreflight' in body && body.skipPreflight === true };
  const tell = (actor: string) => tellRollout(targets, name, { ...change, actor, reason: body.reason });
  if (!isProtected || told === 'abort' || told === 'pause') return tell(actorOf(request));
  return targets.approvals.ask(request, {
    ...{ action: `rollout-${told}`, target: name, reason: body.reason, change },
    preview: () => {
      const found = targets.rollouts.list().find(({ experiment }) => experiment === name);
      const before = found === undefined ? 'no rollout' : `${found.state.id} at ${found.state.sharePpm} ppm`;
      return { before, after: verb, rules: targets.control.snapshot.hash };
    },
    apply: tell,
  });
}

async function tellRollout(
  { rollouts, audit }: RolloutTargets,
  name: string,
  told: {
    readonly verb: RolloutVerb | 'start';
    readonly actor: string;
    readonly reason: string;
    readonly skipPreflight: boolean;
  },
): Promise<unknown> {
  const { verb, actor, reason } = told;
  const result: RolloutResult =
    verb === 'start' ? await rollouts.start(name, told) : rollouts.act(name, verb, told);
  if (result.ok) return one(rollouts, name);
  const { message, hint } = result;
  const action = `rollout-${verb}`;
  audit.record({ action, target: name, actor, reason, result: 'refused', before: '', after: message });
  throw new AdminError('change_invalid', `${message[0]?.toUpperCase()}${message.slice(1)}.`, { hint });
}

function one(rollouts: RolloutPort, name: string): unknown {
  const found = rollouts.list().find(({ experiment }) => experiment === name);
  if (found !== undefined) return viewOf(found);
  throw new AdminError('not_found', `There is no rollout of ${JSON.stringify(name)}.`, {
    hint: 'GET /v1/rollouts lists those that were started',
  });
}

/** One as people see it. */
export function viewOf({
  experiment,
  state,
  settings,
}: RolloutView): { readonly experiment: string } & Readonly<Record<string, unknown>> {
  const { id, phase, step, sharePpm, reason, etaMs, watchedMs, startedAtMs, sinceMs } = state;
  const steps = settings?.plan.steps ?? [];
  return {
    experiment,
    id,
    phase,
    isOver: isOver(state),
    step: step + 1,
    steps: steps.map((one) => ({
      share: formatPercent(one.sharePpm),
      bake: formatDuration(one.bakeMs),
      requests: one.requests,
      gate: one.isManual ? 'manual' : 'auto',
      guardrails: one.guardrails,
    })),
    share: formatPercent(sharePpm),
    reason,
    eta: etaMs === null ? null : formatDuration(Math.max(1, Math.round(etaMs / 1000)) * 1000),
    watched: formatDuration(Math.floor(watchedMs / 1000) * 1000),
    startedAt: new Date(startedAtMs).toISOString(),
    since: new Date(sinceMs).toISOString(),
    counts: state.counts,
    canUndo: state.previous !== null,
  };
}
