/**
 * A rollout as declared, with what its blueprint says, to the plan that `analysis/rollout/rollout.ts` follows. Pure. Not part of
 * the Snapshot: requests know weights and nothing of where they come from.
 */
import { createHash } from 'node:crypto';
import type { Guardrail, RolloutHook, RolloutPlan, RolloutStep } from '../analysis/rollout/rollout-plan.ts';
import type { Config } from './schema.ts';
import type { ExperimentConfig } from './schema-experiment.ts';
import type {
  AnalysisGuardrailConfig,
  GuardrailConfig,
  ProbeConfig,
  RolloutFields,
} from './schema-rollout.ts';
import { STEPS_MAX } from './schema-rollout.ts';
import { formatDuration, PPM } from './units.ts';
import { fallbackName } from './weights.ts';

const DEFAULT_SHARES = [10_000, 50_000, 200_000, 500_000, PPM];
const BAKE_MS = 300_000;
const REQUESTS = 100;
const ALPHA_PPM = 50_000;
const STEP_DOWN_MS = 30_000;
const PREFLIGHT_MS = 5_000;
const DEFAULT_GUARDRAILS: readonly GuardrailConfig[] = [{ metric: 'errors', margin: 10_000 }];

export interface RolloutSettings {
  readonly plan: RolloutPlan;
  readonly probes: readonly ProbeConfig[];
  readonly preflightMs: number;
  /** Names of webhooks, by when they are called. */
  readonly hooks: ReadonlyMap<RolloutHook, readonly string[]>;
}

/** Null: the experiment has no rollout. */
export function compileRollout(config: Config, name: string): RolloutSettings | null {
  const experiment = Object.hasOwn(config.experiments, name) ? config.experiments[name] : undefined;
  const fields = experiment === undefined ? null : rolloutFieldsOf(config, experiment);
  if (experiment === undefined || fields === null) return null;
  const control = fallbackName(experiment) ?? '';
  const candidate = Object.keys(experiment.variants).find((variant) => variant !== control) ?? '';
  const hooks = new Map<RolloutHook, readonly string[]>();
  for (const { type, webhook } of fields.hooks ?? []) hooks.set(type, [...(hooks.get(type) ?? []), webhook]);
  const plan = {
    candidate,
    control,
    steps: stepsOf(fields),
    alpha: (fields.alpha ?? ALPHA_PPM) / PPM,
    onBreach: fields.onBreach ?? 'at-once',
    stepDownMs: fields.stepDown ?? STEP_DOWN_MS,
    confirms: [...hooks.keys()].filter((hook) => hook.startsWith('confirm-')),
  };
  return {
    plan: { ...plan, digest: digestOf(plan) },
    probes: fields.preflight?.probes ?? [],
    preflightMs: fields.preflight?.timeout ?? PREFLIGHT_MS,
    hooks,
  };
}

/** What the experiment says over what its blueprint says; null: it has no rollout, or no such blueprint. */
export function rolloutFieldsOf(config: Config, { rollout }: ExperimentConfig): RolloutFields | null {
  if (rollout === undefined) return null;
  const { blueprint, ...own } = typeof rollout === 'string' ? { blueprint: rollout } : rollout;
  if (blueprint === undefined) return own;
  const found = findBlueprint(config, blueprint);
  if (found === null) return null;
  const { version: _, ...template } = found;
  // Steps are said in one of three ways, and the nearer word is the last.
  const { steps: _s, linear: _l, exponential: _e, ...others } = template;
  const saysSteps = [own.steps, own.linear, own.exponential].some((one) => one !== undefined);
  return { ...(saysSteps ? others : template), ...own };
}

/** `careful@2`; null: there is none of that name and version. */
export function findBlueprint({ blueprints = {} }: Config, reference: string) {
  const [name = '', version] = reference.split('@');
  const found = Object.hasOwn(blueprints, name) ? blueprints[name] : undefined;
  return found !== undefined && String(found.version) === version ? found : null;
}

/** The shares in the order of the steps, whichever way they are said. */
export function sharesOf({ steps, linear, exponential }: RolloutFields): number[] {
  if (steps !== undefined) return steps.map((step) => (typeof step === 'number' ? step : step.share));
  if (linear !== undefined) return series(linear, (share) => share + linear.by);
  if (exponential !== undefined) return series(exponential, (share) => Math.ceil(share * exponential.factor));
  return DEFAULT_SHARES;
}

/** What a latency is measured by, in milliseconds. */
export function metricOf({ metric, above }: GuardrailConfig): string {
  return metric === 'latency' ? `above:${above}` : metric;
}

function series({ from, to }: { from: number; to: number }, next: (share: number) => number): number[] {
  const shares: number[] = [];
  for (let share = from; share < to && shares.length < STEPS_MAX; share = next(share)) shares.push(share);
  return [...shares, to];
}

function stepsOf(fields: RolloutFields): RolloutStep[] {
  return sharesOf(fields).map((sharePpm, index): RolloutStep => {
    const declared = fields.steps?.[index];
    const own = typeof declared === 'object' ? declared : undefined;
    const guardrails = own?.guardrails ?? fields.guardrails ?? DEFAULT_GUARDRAILS;
    return {
      sharePpm,
      bakeMs: own?.bake ?? fields.bake ?? BAKE_MS,
      requests: own?.requests ?? fields.requests ?? REQUESTS,
      notBeforeMs: own?.at ?? Number.NEGATIVE_INFINITY,
      isManual: (own?.gate ?? fields.gate) === 'manual',
      guardrails: guardrails.filter(isCounted).map(guardrailOf),
      analysis: guardrails.flatMap((guardrail) => (isCounted(guardrail) ? [] : [guardrail.analysis])),
    };
  });
}

/** By the rollout itself, and not by the analysis of the experiment. */
export function isCounted(
  guardrail: GuardrailConfig | AnalysisGuardrailConfig,
): guardrail is GuardrailConfig {
  return 'metric' in guardrail;
}

function guardrailOf(declared: GuardrailConfig): Guardrail {
  const { metric, above = 0, margin, limit } = declared;
  return {
    name: metric === 'latency' ? `slower than ${formatDuration(above)}` : metric,
    metric: metricOf(declared),
    margin: margin === undefined ? null : margin / PPM,
    limit: limit === undefined ? null : limit / PPM,
  };
}

function digestOf(plan: Omit<RolloutPlan, 'digest'>): string {
  return createHash('sha256').update(JSON.stringify(plan)).digest('hex').slice(0, 12);
}
