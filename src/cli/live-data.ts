/**
 * What a running sidecar says of its experiments at one moment, out of several resources of the admin API: traffic,
 * rules, breakers, rollouts and verdicts. What a sidecar does not have is null, and shown as "-". Only reads.
 */
import { type AdminTarget, adminGet } from './admin-client.ts';
import { CliError, Exit, type Io } from './io.ts';

/** Of the variant that served; over the last interval, but `requests` and `failures`, which only grow. */
export interface VariantTraffic {
  readonly name: string;
  readonly requests?: number | null;
  readonly failures?: number | null;
  readonly requestsPerSecond?: number | null;
  readonly errorShare?: number | null;
  readonly slowShare?: number | null;
  readonly p50Ms?: number | null;
  readonly p90Ms?: number | null;
  readonly p99Ms?: number | null;
  readonly inFlight?: number | null;
}

export interface RouteTraffic {
  readonly name: string;
  readonly requestsPerSecond?: number | null;
  readonly errorShare?: number | null;
  readonly p50Ms?: number | null;
  readonly p99Ms?: number | null;
}

export interface Stats {
  readonly at?: string;
  readonly intervalMs?: number | null;
  readonly experiments: readonly { readonly name: string; readonly variants: readonly VariantTraffic[] }[];
  readonly routes: readonly RouteTraffic[];
}

/** As `GET /v1/breakers` has it. */
export interface BreakerView {
  readonly name: string;
  readonly state: string;
  readonly mode?: string;
  readonly reason?: string;
  readonly heldBack?: string | null;
}

/** As `GET /v1/rollouts` has it. */
export interface RolloutView {
  readonly experiment: string;
  readonly phase: string;
  readonly isOver?: boolean;
  readonly step?: number;
  readonly steps?: readonly unknown[];
  readonly share?: string;
  readonly reason?: string;
  readonly eta?: string | null;
  readonly since?: string;
}

export interface Verdict {
  readonly kind: string;
  readonly reason: string;
}

export interface LiveVariant {
  readonly name: string;
  /** What the rules give it, such as `10%`. */
  readonly wanted: string | null;
  readonly traffic: VariantTraffic | null;
  /** One a route. */
  readonly breakers: readonly BreakerView[];
}

export interface LiveExperiment {
  readonly name: string;
  readonly status: string;
  /** What is the matter beside the status, such as `ended`. */
  readonly condition: string | null;
  readonly variants: readonly LiveVariant[];
  readonly rollout: RolloutView | null;
  readonly verdict: Verdict | null;
}

export interface LiveReading {
  /** ISO 8601, by the sidecar's clock; null: it has no figures of its traffic. */
  readonly at: string | null;
  readonly intervalMs: number | null;
  readonly experiments: readonly LiveExperiment[];
  readonly routes: readonly RouteTraffic[];
}

interface ExperimentAnswer {
  readonly name: string;
  readonly status: string;
  readonly condition?: string | null;
  readonly variants?: readonly {
    readonly name: string;
    readonly weight?: string;
    readonly breakers?: readonly { readonly name: string }[];
  }[];
}

interface VerdictAnswer {
  readonly experiment: string;
  readonly state?: string;
  readonly verdict?: Verdict | null;
}

/** Everything at once. @throws CliError when nobody answers, or reading is not allowed */
export async function readLive(target: AdminTarget, env: Io['env']): Promise<LiveReading> {
  const [stats, experiments, breakers, rollouts, verdicts] = await Promise.all([
    readStats(target, env),
    listOf<ExperimentAnswer>(target, 'experiments', { env }),
    listOf<BreakerView>(target, 'breakers', { env }),
    listOf<RolloutView>(target, 'rollouts', { env }),
    listOf<VerdictAnswer>(target, 'results', { env }),
  ]);
  const breakersByName = new Map(breakers.map((breaker) => [breaker.name, breaker]));
  return {
    at: stats?.at ?? null,
    intervalMs: stats?.intervalMs ?? null,
    routes: stats?.routes ?? [],
    experiments: experiments.map(({ name, status, condition = null, variants = [] }) => {
      const traffic = stats?.experiments.find((one) => one.name === name)?.variants ?? [];
      const { state = 'off', verdict = null } = verdicts.find(({ experiment }) => experiment === name) ?? {};
      return {
        name,
        status,
        condition,
        variants: variants.map((variant) => ({
          name: variant.name,
          wanted: variant.weight ?? null,
          traffic: traffic.find((one) => one.name === variant.name) ?? null,
          breakers: (variant.breakers ?? []).flatMap((breaker) => breakersByName.get(breaker.name) ?? []),
        })),
        rollout: rollouts.find(({ experiment }) => experiment === name) ?? null,
        verdict: state === 'off' ? null : verdict,
      };
    }),
  };
}

/** Traffic by variant and route; null: this sidecar has no such figures. @throws CliError */
export async function readStats(target: AdminTarget, env: Io['env']): Promise<Stats | null> {
  const answer = (await unlessMissing(adminGet(target, '/v1/stats', env))) as Partial<Stats> | null;
  if (answer === null) return null;
  const { experiments, routes } = answer;
  return {
    ...answer,
    experiments: Array.isArray(experiments) ? experiments : [],
    routes: Array.isArray(routes) ? routes : [],
  };
}

/** `null` when a resource is not there, whatever of: an older sidecar, or nothing to be said. */
export async function unlessMissing<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof CliError && error.exitCode === Exit.negative) return null;
    throw error;
  }
}

async function listOf<T>(
  target: AdminTarget,
  what: string,
  { env }: { env: Io['env'] },
): Promise<readonly T[]> {
  const answer = await unlessMissing(adminGet(target, `/v1/${what}`, env));
  const list = (answer as Record<string, unknown> | null)?.[what];
  return Array.isArray(list) ? list : [];
}
