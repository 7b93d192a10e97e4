/**
 * What mirrored requests have shown of one experiment. Each was answered three times: by control, by control again, and by the
 * candidate. Where control differs from itself is noise; where the candidate differs from control and control does not from
 * itself is a regression. After Twitter's Diffy. Mergeable; bounded in paths and samples. Pure.
 *
 * Whether a path is noise is decided by the requests before the one that is judged. So a candidate that is the same as
 * control is as likely to differ from the first answer as control itself, at each request, whatever was learned: the two
 * shares can be compared.
 */

import { Distribution, type DistributionForm } from '../distribution.ts';
import { type Answer, type CompareRules, compareAnswers, type Difference } from './diff-answers.ts';

/** Of an experiment; what differs elsewhere is counted together. */
export const PATHS_MAX = 500;
/** Where the others are counted. */
export const OTHER_PATHS = '(other)';
export const SAMPLES_MAX = 10;
/** The rest is for other paths. */
const SAMPLES_A_PATH = 2;
const SAMPLE_CHARS = 200;

/** Control differs from itself here in so many of the requests: noise. */
const NOISE_SHARE = 0.01;
/** And not by a single accident. */
const NOISE_MIN = 3;
/** Diffy's rule for when a path is worse beside its noise: by a fifth of both, and by 0.03 % of all. */
const RELATIVE_MIN = 0.2;
const ABSOLUTE_MIN = 0.0003;
/** And not by chance: by so many standard errors. */
const ERRORS_MIN = 3;

/** The answers to one request beside the first of control, and where they differ from it: see `DiffRecord.compare`. */
export interface Compared {
  /** Control, asked a second time. */
  readonly again: Answer;
  readonly noise: readonly Difference[];
  readonly candidate: Answer;
  readonly differences: readonly Difference[];
}

/** What one path has come to. */
export interface PathCounts {
  readonly path: string;
  /** Requests in which control differs from itself. */
  readonly noise: number;
  /** And in which the candidate differs from control. */
  readonly differences: number;
  /** Of the last difference of the candidate; null: there was none. */
  readonly last: { readonly control: ValueFacts; readonly candidate: ValueFacts } | null;
}

/** Of a value what is no value. */
export interface ValueFacts {
  readonly type: string;
  /** Two that are the same have the same, as long as the process runs; '' for nothing. */
  readonly hash: string;
}

/** Values that differ; only where somebody has allowed that. */
export interface DiffSample {
  readonly at: string;
  readonly route: string;
  readonly path: string;
  /** As JSON, cut. */
  readonly control: string;
  readonly candidate: string;
}

/** A record as it is sent. */
export interface DiffForm {
  readonly sinceMs: number;
  readonly compared: number;
  readonly hits: { readonly control: number; readonly candidate: number };
  readonly paths: readonly PathCounts[];
  readonly latency: { readonly control: DistributionForm; readonly candidate: DistributionForm };
  /** Of all bodies together. */
  readonly bytes: { readonly control: number; readonly candidate: number };
  readonly samples: readonly DiffSample[];
}

/** Nothing was compared. */
export const NO_DIFFS: DiffForm = {
  sinceMs: 0,
  compared: 0,
  hits: { control: 0, candidate: 0 },
  paths: [],
  latency: { control: new Distribution().toJSON(), candidate: new Distribution().toJSON() },
  bytes: { control: 0, candidate: 0 },
  samples: [],
};

export interface DiffRecordOptions {
  readonly rules: CompareRules;
  /** A short text in the place of a value, from which the value cannot be found. */
  readonly digest: (text: string) => string;
  /** The last values that differ are kept. */
  readonly hasSamples: boolean;
  readonly sinceMs: number;
}

interface Counts {
  noise: number;
  differences: number;
  last: PathCounts['last'];
}

export class DiffRecord {
  readonly #options: DiffRecordOptions;
  readonly #paths = new Map<string, Counts>();
  readonly #hits = { control: 0, candidate: 0 };
  readonly #latency = { control: new Distribution(), candidate: new Distribution() };
  readonly #bytes = { control: 0, candidate: 0 };
  #compared = 0;
  #samples: DiffSample[] = [];

  constructor(options: DiffRecordOptions) {
    this.#options = options;
  }

  /** Where an answer differs from the first one of control. */
  compare(control: Answer, other: Answer): Difference[] {
    return compareAnswers(control, other, this.#options.rules);
  }

  /** Count the answers to one request; whether each differs from the first in a way that is no noise. */
  add(
    { noise, differences, again, candidate }: Compared,
    { at, route }: { readonly at: string; readonly route: string },
  ): { readonly control: boolean; readonly candidate: boolean } {
    const [isControl, isCandidate] = [this.#isAnyPlain(noise), this.#isAnyPlain(differences)];
    for (const { path } of this.#placed(noise)) this.#countsOf(path).noise++;
    for (const difference of this.#placed(differences)) this.#note(difference, at, route);
    this.#compared++;
    if (isControl) this.#hits.control++;
    if (isCandidate) this.#hits.candidate++;
    this.#measure('control', again);
    this.#measure('candidate', candidate);
    return { control: isControl, candidate: isCandidate };
  }

  /** What the verdict is made of. */
  get counts(): Pick<DiffForm, 'compared' | 'hits'> {
    return { compared: this.#compared, hits: this.#hits };
  }

  toJSON(): DiffForm {
    return {
      sinceMs: this.#options.sinceMs,
      compared: this.#compared,
      hits: { ...this.#hits },
      paths: Array.from(this.#paths, ([path, counts]) => ({ path, ...counts })),
      latency: { control: this.#latency.control.toJSON(), candidate: this.#latency.candidate.toJSON() },
      bytes: { ...this.#bytes },
      samples: [...this.#samples],
    };
  }

  #isAnyPlain(differences: readonly Difference[]): boolean {
    return differences.some(({ path }) => {
      const counts = this.#paths.get(path) ?? (this.#isFull ? this.#paths.get(OTHER_PATHS) : undefined);
      return counts === undefined || judgePath(counts, this.#compared) !== 'noise';
    });
  }

  get #isFull(): boolean {
    return this.#paths.size >= PATHS_MAX;
  }

  /** Each path once, those beyond the bound as one. */
  #placed(differences: readonly Difference[]): Difference[] {
    const placed = new Map<string, Difference>();
    let room = PATHS_MAX - this.#paths.size;
    for (const difference of differences) {
      const isKnown = this.#paths.has(difference.path);
      if (!isKnown && room-- <= 0) placed.set(OTHER_PATHS, { ...difference, path: OTHER_PATHS });
      else placed.set(difference.path, difference);
    }
    return [...placed.values()];
  }

  #countsOf(path: string): Counts {
    let counts = this.#paths.get(path);
    if (counts === undefined) {
      counts = { noise: 0, differences: 0, last: null };
      this.#paths.set(path, counts);
    }
    return counts;
  }

  #note({ path, control, other }: Difference, at: string, route: string): void {
    const counts = this.#countsOf(path);
    const isNoise = judgePath(counts, this.#compared) === 'noise';
    counts.differences++;
    counts.last = { control: this.#factsOf(control), candidate: this.#factsOf(other) };
    if (!this.#options.hasSamples || isNoise) return;
    const sample = { at, route, path, control: shown(control), candidate: shown(other) };
    const same = this.#samples.filter((one) => one.path === path);
    const others = this.#samples.filter((one) => same.length < SAMPLES_A_PATH || one !== same[0]);
    this.#samples = [...others, sample].slice(-SAMPLES_MAX);
  }

  #factsOf(value: unknown): ValueFacts {
    if (value === undefined) return { type: 'nothing', hash: '' };
    const type = value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value;
    return { type, hash: this.#options.digest(JSON.stringify(value)) };
  }

  #measure(variant: 'control' | 'candidate', { status, ms, bytes }: Answer): void {
    if (status === 0) return;
    this.#latency[variant].add(ms);
    this.#bytes[variant] += bytes;
  }
}

/** What a path is, by its counts. `unclear`: too seldom to say. */
export function judgePath(
  { noise, differences }: Pick<PathCounts, 'noise' | 'differences'>,
  compared: number,
): 'noise' | 'regression' | 'unclear' {
  const more = differences - noise;
  const both = differences + noise;
  const isWorse =
    more > RELATIVE_MIN * both && more > ABSOLUTE_MIN * compared && more > ERRORS_MIN * Math.sqrt(both);
  if (isWorse) return 'regression';
  return noise >= NOISE_MIN && noise >= NOISE_SHARE * compared ? 'noise' : 'unclear';
}

/** Those of several processes as one. */
export function mergeDiffs(forms: readonly DiffForm[]): DiffForm {
  const paths = new Map<string, PathCounts>();
  const sum = (of: (form: DiffForm) => number): number => forms.reduce((total, form) => total + of(form), 0);
  for (const one of forms.flatMap((form) => form.paths)) {
    const isRoom = paths.has(one.path) || paths.size < PATHS_MAX;
    const path = isRoom ? one.path : OTHER_PATHS;
    const before = paths.get(path);
    paths.set(path, {
      path,
      noise: one.noise + (before?.noise ?? 0),
      differences: one.differences + (before?.differences ?? 0),
      last: one.last ?? before?.last ?? null,
    });
  }
  const samples = forms.flatMap((form) => form.samples).sort((a, b) => (a.at < b.at ? -1 : 1));
  const latencyOf = (variant: 'control' | 'candidate'): DistributionForm => {
    const all = new Distribution();
    for (const { latency } of forms) all.merge(Distribution.fromJSON(latency[variant]));
    return all.toJSON();
  };
  return {
    sinceMs: Math.min(...forms.map(({ sinceMs }) => sinceMs)),
    compared: sum(({ compared }) => compared),
    hits: { control: sum(({ hits }) => hits.control), candidate: sum(({ hits }) => hits.candidate) },
    paths: [...paths.values()],
    latency: { control: latencyOf('control'), candidate: latencyOf('candidate') },
    bytes: { control: sum(({ bytes }) => bytes.control), candidate: sum(({ bytes }) => bytes.candidate) },
    samples: samples.slice(-SAMPLES_MAX),
  };
}

function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > SAMPLE_CHARS ? `${text.slice(0, SAMPLE_CHARS)}...` : text;
}
