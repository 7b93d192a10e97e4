/**
 * The changes: start, pause, kill and re-weight an experiment, trip and reset a breaker, reload the config.
 * Every one goes through the single writer or the data plane, and every one is on the audit, refused ones too.
 * The token has been checked before anything here runs.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { formatIssue } from '../config/issue.ts';
import { parseConfig } from '../config/parse.ts';
import type { SettableStatus } from '../config/runtime.ts';
import { didYouMean } from '../config/suggest.ts';
import { formatDuration } from '../config/units.ts';
import type { Refusal } from '../control/runtime-changes.ts';
import type { Change } from '../control/state.ts';
import type { Experiment } from '../experiment/model.ts';
import type { Approvals, Plan } from './approvals.ts';
import type { Audit } from './audit.ts';
import { actorOf } from './auth.ts';
import { forceBody, readBody, reasonBody, tripBody, weightsBody } from './body.ts';
import type { AdminBreaker, ControlPort, DataPlaneView, ForceKind } from './ports.ts';
import { AdminError } from './problem.ts';
import { resource } from './resource.ts';
import { changeRollout, isRolloutVerb, type RolloutPort } from './rollouts.ts';
import { experimentView } from './views.ts';

/** What the changes act on. */
export interface ChangeTargets {
  readonly control: ControlPort;
  readonly dataPlane: DataPlaneView;
  readonly audit: Audit;
  /** Of what takes two people. */
  readonly approvals: Approvals;
  readonly rollouts: RolloutPort;
}

const STATUS_OF_VERB: Readonly<Record<string, SettableStatus>> = {
  start: 'running',
  pause: 'paused',
  kill: 'killed',
};

/** POST or PUT on `/v1/experiments/NAME:VERB` and `/v1/experiments/NAME/weights`. */
export function changeExperiment(targets: ChangeTargets, request: FastifyRequest): unknown {
  const rest = (request.params as { '*': string })['*'];
  checkIfMatch(request, targets.control);
  if (rest.endsWith('/weights')) return setWeights(targets, request, rest.slice(0, -'/weights'.length));
  const { name, verb } = splitVerb(rest);
  if (isRolloutVerb(verb)) {
    findExperiment(targets.control, name);
    const isProtected = takesTwo(targets.control, { kind: 'clear', experiment: name, reason: '' });
    return changeRollout(targets, { name, verb, isProtected }, request);
  }
  const { reason } = readBody(request, reasonBody);
  const status = STATUS_OF_VERB[verb];
  if (status !== undefined) {
    return apply(targets, request, { kind: 'set-status', experiment: name, status, reason });
  }
  if (verb === 'clear') return apply(targets, request, { kind: 'clear', experiment: name, reason });
  throw new AdminError('not_found', `An experiment cannot be told to ${JSON.stringify(verb)}.`, {
    hint: 'use :start, :pause, :kill, :clear, /weights, or of its rollout :start-rollout, :promote, :pause-rollout, :resume, :abort, :undo',
  });
}

/** POST on `/v1/breakers/NAME:force`, `:trip`, which forces it open, and `:reset`. */
export function changeBreaker(targets: ChangeTargets, request: FastifyRequest): unknown {
  const { name, verb } = splitVerb((request.params as { '*': string })['*']);
  const find = () => targets.dataPlane.breakers().find((breaker) => breaker.name === name);
  const { force, reason } = readBreakerVerb(request, verb);
  const before = find();
  if (before === undefined) throw noBreaker(targets.dataPlane, name);
  const actor = actorOf(request);
  const sentence = `by ${actor}: ${reason}`;
  const isDone =
    force === null
      ? targets.dataPlane.reset(name, sentence)
      : targets.dataPlane.force(name, force.kind, force.forMs, sentence);
  const after = find();
  const forTime = force === null ? '' : ` for ${formatDuration(force.forMs)}`;
  targets.audit.record({
    action: verb,
    target: name,
    actor,
    reason,
    result: isDone ? 'done' : 'refused',
    before: standingOf(before),
    after: `${standingOf(after)}${forTime}`,
  });
  if (!isDone || after === undefined)
    throw new AdminError('not_found', `The breaker ${JSON.stringify(name)} is gone.`);
  return after;
}

/** What a verb asks of a breaker; no force: a reset. */
function readBreakerVerb(
  request: FastifyRequest,
  verb: string,
): { readonly force: { kind: ForceKind; forMs: number } | null; readonly reason: string } {
  switch (verb) {
    case 'force': {
      const { state: kind, for: forMs, reason } = readBody(request, forceBody);
      return { force: { kind, forMs }, reason };
    }
    case 'trip': {
      const { for: forMs, reason } = readBody(request, tripBody);
      return { force: { kind: 'open', forMs }, reason };
    }
    case 'reset':
      return { force: null, ...readBody(request, reasonBody) };
    default:
      throw new AdminError('not_found', `A breaker cannot be told to ${JSON.stringify(verb)}.`, {
        hint: 'use :force, :trip or :reset',
      });
  }
}

/** The refusal of a name that no breaker has. */
export function noBreaker(dataPlane: DataPlaneView, name: string): AdminError {
  const names = dataPlane.breakers().map((breaker) => breaker.name);
  return new AdminError(
    'not_found',
    `There is no breaker ${JSON.stringify(name)}${didYouMean(name, names) || '.'}`,
  );
}

/** `closed`, or with what else is to be known, `open, observe`. */
function standingOf(breaker: AdminBreaker | undefined): string {
  if (breaker === undefined) return 'gone';
  return breaker.mode === 'enforce' ? breaker.state : `${breaker.state}, ${breaker.mode}`;
}

/** Adds `POST /v1/reload` and `POST /v1/config:validate`. */
export function addConfigChanges(app: FastifyInstance, targets: ChangeTargets): void {
  const handler = (request: FastifyRequest) => reload(targets, request);
  resource(app, '/v1/reload', { POST: handler });
  void app.register(async (scope) => {
    // The text is what is checked, whatever it is called, so that line numbers are those of the file.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
    resource(scope, '/v1/config::validate', { POST: validateConfig });
  });
}

function validateConfig(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const text = typeof request.body === 'string' ? request.body : '';
  const { config, issues } = parseConfig(text, 'body');
  if (config === null) throw configInvalid(issues);
  return reply.send({ ok: true, issues });
}

async function reload(targets: ChangeTargets, request: FastifyRequest): Promise<unknown> {
  const { reason } = readBody(request, reasonBody);
  const { control, audit } = targets;
  checkIfMatch(request, control);
  const before = versionOf(control);
  const { ok, issues } = await control.reload('admin');
  const after = versionOf(control);
  audit.record({
    action: 'ask-reload',
    target: 'config',
    actor: actorOf(request),
    reason,
    result: ok ? 'done' : 'refused',
    before: `version ${before.version}`,
    after: `version ${after.version}`,
  });
  if (!ok) throw configInvalid(issues);
  return { ok, ...after, issues };
}

function configInvalid(issues: readonly Parameters<typeof formatIssue>[0][]): AdminError {
  const first = issues.find((issue) => issue.severity === 'error') ?? issues[0];
  const detail = first === undefined ? 'The config could not be read.' : formatIssue(first);
  return new AdminError('config_invalid', detail, {
    ...(first?.path ? { path: first.path } : {}),
    more: { issues },
  });
}

function setWeights(targets: ChangeTargets, request: FastifyRequest, experiment: string): unknown {
  const { weights: weightsPpm, reason } = readBody(request, weightsBody);
  return apply(targets, request, { kind: 'set-weights', experiment, weightsPpm, reason });
}

/** Does it, and answers the experiment; or asks for a second person. @throws AdminError */
export function apply(targets: ChangeTargets, request: FastifyRequest, change: Change): unknown {
  const { control, approvals } = targets;
  const { experiment: name, kind: action, reason } = change;
  findExperiment(control, name);
  if (!takesTwo(control, change)) return applyNow(targets, change, actorOf(request));
  const plan: Plan = {
    ...{ action, target: name, reason, change },
    preview: () => {
      const result = control.preview(change);
      if (!result.ok) throw refused(targets, change, { actor: actorOf(request), result });
      return { ...result, rules: control.snapshot.hash };
    },
    apply: (actor) => applyNow(targets, change, actor),
  };
  return approvals.ask(request, plan);
}

/**
 * A change on a protected route. Not a kill, which gives everyone what the service is known to do: to wait for a second
 * person while users are hurt is the greater danger.
 */
function takesTwo({ snapshot }: ControlPort, change: Change): boolean {
  if (change.kind === 'set-status' && change.status === 'killed') return false;
  const { protectedRoutes } = snapshot.admin;
  if (protectedRoutes.length === 0) return false;
  return [...snapshot.routes.inbound.all, ...snapshot.routes.outbound.all].some(
    ({ name, experiments }) =>
      protectedRoutes.includes(name) &&
      experiments.some(({ experiment }) => experiment.name === change.experiment),
  );
}

function applyNow(targets: ChangeTargets, change: Change, actor: string): unknown {
  const { control, dataPlane } = targets;
  const { experiment: name } = change;
  const experiment = findExperiment(control, name);
  const result = control.change(change, actor);
  if (!result.ok) throw refused(targets, change, { actor, result });
  const { snapshot } = control;
  const { runtime, wallMs } = control.view();
  return experimentView(
    snapshot.experiments.get(name) ?? experiment,
    { snapshot, runtime, wallMs },
    dataPlane.breakers(),
  );
}

/** Puts it on record, and says why. */
function refused(
  { audit }: ChangeTargets,
  { experiment: target, kind: action, reason }: Change,
  { actor, result: { message, path, hint } }: { readonly actor: string; readonly result: Refusal },
): AdminError {
  audit.record({ action, target, actor, reason, result: 'refused', before: '', after: '' });
  return new AdminError('change_invalid', `${message[0]?.toUpperCase()}${message.slice(1)}.`, { path, hint });
}

/** @throws AdminError when there is none of that name */
export function findExperiment(control: ControlPort, name: string): Experiment {
  const experiment = control.snapshot.experiments.get(name);
  if (experiment !== undefined) return experiment;
  const names = [...control.snapshot.experiments.keys()];
  const shown = names.slice(0, 10).join(', ');
  throw new AdminError('not_found', `There is no experiment ${JSON.stringify(name)}.`, {
    hint:
      names.length === 0
        ? 'the config has no experiments'
        : `there are ${shown}${names.length > 10 ? ', ...' : ''}`,
  });
}

/** The entity tag of the rules in force. */
export function etagOf(control: ControlPort): string {
  return `"${control.snapshot.hash}.${control.snapshot.version}"`;
}

function versionOf({ snapshot }: ControlPort): { version: number; hash: string } {
  return { version: snapshot.version, hash: snapshot.hash };
}

/** @throws AdminError when the rules are not those that the sender has seen */
export function checkIfMatch(request: FastifyRequest, control: ControlPort): void {
  const wanted = request.headers['if-match'];
  if (wanted === undefined || wanted.trim() === '*') return;
  const tags = wanted.split(',').map((tag) => tag.trim());
  if (tags.includes(etagOf(control))) return;
  throw new AdminError('version_conflict', `The config is at ${etagOf(control)} now.`, {
    hint: 'read it again',
  });
}

function splitVerb(rest: string): { name: string; verb: string } {
  const colon = rest.lastIndexOf(':');
  return colon < 0 ? { name: rest, verb: '' } : { name: rest.slice(0, colon), verb: rest.slice(colon + 1) };
}
