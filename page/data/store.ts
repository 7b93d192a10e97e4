/**
 * What the whole page knows: the resources that several views show, what the event stream says, and how fresh that is.
 * The stream says that something changed; what it is now is then read.
 */
import { computed, effect, signal } from '@preact/signals';
import { read } from './api.ts';
import { Resource } from './resource.ts';
import { Ring } from './ring.ts';
import type { ServerEvent } from './sse.ts';
import { Stream } from './stream.ts';
import { token } from './token.ts';
import type {
  Approval,
  AuditHead,
  AuditRecord,
  Breaker,
  ConfigChange,
  ConfigView,
  Experiment,
  Rollout,
  Stats,
  Transition,
  Upstream,
  VerdictLine,
} from './types.ts';

export const experiments = new Resource<{ experiments: readonly Experiment[] }>('/v1/experiments');
export const rollouts = new Resource<{ rollouts: readonly Rollout[] }>('/v1/rollouts');
export const verdicts = new Resource<{ results: readonly VerdictLine[] }>('/v1/results');
export const breakers = new Resource<{ breakers: readonly Breaker[] }>('/v1/breakers');
export const transitions = new Resource<{ transitions: readonly Transition[] }>('/v1/breakers/history');
export const upstreams = new Resource<{ upstreams: readonly Upstream[] }>('/v1/upstreams');
export const config = new Resource<ConfigView>('/v1/config');
export const configHistory = new Resource<{ history: readonly ConfigChange[] }>('/v1/config/history');
export const audit = new Resource<{ audit: readonly AuditRecord[] }>('/v1/audit?limit=100');
export const auditHead = new Resource<AuditHead>('/v1/audit/head');
export const approvals = new Resource<{ approvals: readonly Approval[] }>('/v1/approvals');

/** The last reading of the counters; null: there was none, or the sidecar has none. */
export const stats = signal<Stats | null>(null);
/** When it came; `performance.now()` in ms. */
export const statsAt = signal(0);
/** Numbers of an experiment by its name, of the last reading. */
export const statsByName = computed(
  () => new Map(stats.value?.experiments.map((one) => [one.name, one.variants]) ?? []),
);
export const rolloutByName = computed(
  () => new Map(rollouts.data.value?.rollouts.map((one) => [one.experiment, one]) ?? []),
);
export const verdictByName = computed(
  () => new Map(verdicts.data.value?.results.map((one) => [one.experiment, one]) ?? []),
);
export const experimentByName = computed(
  () => new Map(experiments.data.value?.experiments.map((one) => [one.name, one]) ?? []),
);
/** Requests a second of each experiment over the last two minutes. */
export const recentTraffic = new Ring(60);

/** Read again when the stream says that something of the kind happened. */
const AFFECTED: Readonly<Record<string, readonly Resource<unknown>[]>> = {
  audit: [audit, auditHead, approvals, experiments, rollouts],
  breaker: [breakers, transitions, experiments, rollouts],
  rollout: [rollouts, experiments],
  config: [config, configHistory, experiments, rollouts],
};
/** Many events come at once, when many change at once. */
const GATHER_MS = 150;
/** Without a stream the counters are asked for. */
const POLL_MS = 2000;
/** A tab that nobody sees holds none of the few streams that there are for longer. */
const HIDDEN_MS = 60_000;

const wanted = new Set<Resource<unknown>>();
let gathering: ReturnType<typeof setTimeout> | null = null;

export const events = new Stream('/v1/events/stream', take);

/** Begins to follow the sidecar. */
export function follow(): void {
  effect(() => {
    // Whoever signs in is to see at once what that opens.
    token.value;
    events.open();
    void experiments.refresh();
    void config.refresh();
    void approvals.refresh();
  });
  setInterval(() => {
    const { value } = events.state;
    if (value !== 'open' && document.visibilityState === 'visible') void poll();
  }, POLL_MS);
  let hidden: ReturnType<typeof setTimeout> | undefined;
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hidden);
    if (document.visibilityState === 'hidden') hidden = setTimeout(() => events.close(), HIDDEN_MS);
    else if (events.state.value !== 'open') events.open();
  });
}

/** Reads everything again that a change may have touched, and that somebody has looked at. */
export function refreshAll(): void {
  for (const resources of Object.values(AFFECTED)) for (const one of resources) want(one);
}

function take(event: ServerEvent): void {
  if (event.name === 'stats') return takeStats(JSON.parse(event.data) as Stats);
  if (event.name === 'rollout') takeRollout(JSON.parse(event.data) as Rollout);
  for (const resource of AFFECTED[event.name] ?? []) want(resource);
}

function want(resource: Resource<unknown>): void {
  // What nobody has looked at yet is read when somebody does.
  if (resource.data.value === null && resource.problem.value === null) return;
  wanted.add(resource);
  if (gathering !== null) return;
  gathering = setTimeout(() => {
    gathering = null;
    for (const one of wanted) void one.refresh();
    wanted.clear();
  }, GATHER_MS);
}

function takeStats(next: Stats): void {
  stats.value = next;
  statsAt.value = performance.now();
  recentTraffic.take(
    next.experiments.map(({ name, variants }) => [name, sum(variants.map((one) => one.requestsPerSecond))]),
  );
}

function takeRollout(next: Rollout): void {
  const known = rollouts.data.value?.rollouts;
  if (known === undefined || typeof next.experiment !== 'string') return;
  const others = known.filter((one) => one.experiment !== next.experiment);
  rollouts.data.value = { rollouts: [...others, next] };
}

async function poll(): Promise<void> {
  const next = await read<Stats>('/v1/stats').catch(() => null);
  if (next !== null) takeStats(next);
}

function sum(values: readonly (number | null)[]): number {
  return values.reduce<number>((total, value) => total + (value ?? 0), 0);
}
