/** Mirroring as declared to what the data plane does, and a worker's share of it. Pure. */
import type { CompareRules } from '../analysis/diff/diff-answers.ts';
import type { RateSettings } from '../resilience/token-bucket.ts';
import type { Config } from './schema.ts';
import { PPM } from './units.ts';
import { fallbackName } from './weights.ts';

/** What is mirrored of one experiment. */
export interface MirrorSettings {
  readonly experiment: string;
  readonly control: string;
  readonly candidate: string;
  /** Of its requests, above 0 and up to 1. */
  readonly share: number;
  readonly methods: readonly string[];
  /** In flight at one time. */
  readonly concurrency: number;
  readonly rate: RateSettings;
  readonly timeoutMs: number;
  readonly bodyMaxBytes: number;
  readonly compare: CompareRules;
  /** Values that differ are kept. */
  readonly hasSamples: boolean;
}

export const SAFE_MIRRORED: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];
const DEFAULT_METHODS: readonly string[] = ['GET', 'HEAD'];

/** By experiment; only those that are mirrored. */
export function compileMirrors(config: Config): ReadonlyMap<string, MirrorSettings> {
  const mirrors = new Map<string, MirrorSettings>();
  for (const [experiment, declared] of Object.entries(config.experiments)) {
    const { mirror, variants } = declared;
    if (mirror === undefined) continue;
    const control = fallbackName(declared) ?? '';
    const candidate = mirror.of ?? Object.keys(variants).find((variant) => variant !== control) ?? '';
    const { share, methods = DEFAULT_METHODS, contract, concurrency, rate, timeout, bodyMax } = mirror;
    const { headers = null, ignoreHeaders, ignorePaths } = mirror.compare;
    mirrors.set(experiment, {
      experiment,
      control,
      candidate,
      share: share / PPM,
      methods: [...methods, ...(contract?.methods ?? [])],
      concurrency,
      rate: rateOf(rate),
      timeoutMs: timeout,
      bodyMaxBytes: bodyMax,
      compare: { headers, ignoreHeaders, ignorePaths },
      hasSamples: mirror.samples,
    });
  }
  return mirrors;
}

/** The part of one of `workers` processes. */
export function shareOfMirrors(
  mirrors: ReadonlyMap<string, MirrorSettings>,
  workers: number,
): ReadonlyMap<string, MirrorSettings> {
  return new Map(
    Array.from(mirrors, ([experiment, settings]) => [
      experiment,
      Object.freeze({
        ...settings,
        concurrency: Math.ceil(settings.concurrency / workers),
        rate: rateOf(settings.rate.perSecond / workers),
      }),
    ]),
  );
}

function rateOf(perSecond: number): RateSettings {
  return { perSecond, burst: Math.max(1, Math.ceil(perSecond)) };
}
