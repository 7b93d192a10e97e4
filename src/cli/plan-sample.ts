/**
 * What was recorded, to say of a plan how many units and requests it is about: lines of the access log, exposures, and
 * `{"unit_id": "..."}`. Only the last have units that can be decided anew; an exposure has the hash of one, of which
 * only so many are known to be in a variant. Nothing of it is printed but numbers.
 */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { CliError, Exit } from './io.ts';
import type { Plan } from './plan-changes.ts';

/** Distinct ids and distinct exposed units that are kept, each; about 200 MB. */
const UNITS_MAX = 1_000_000;

export interface ExpectedChange {
  /** Lines that were understood. */
  readonly records: number;
  /** Units seen in a variant, and how many of them are expected to leave it. */
  readonly units: readonly {
    readonly experiment: string;
    readonly from: string;
    readonly to: string | null;
    readonly seen: number;
    readonly moving: number;
  }[];
  readonly requests: readonly {
    readonly route: string;
    readonly upstream: string;
    readonly before: number;
    readonly after: number;
  }[];
}

export interface Sample {
  /** Null: there are none, and units that nobody has stand for them. */
  readonly ids: readonly string[] | null;
  expected(plan: Plan): ExpectedChange;
}

/**
 * @param file `-`: `input` is read.
 * @throws CliError for a file that cannot be read, or in which nothing is understood
 */
export async function readSample(file: string, input: Readable): Promise<Sample> {
  const sample = new Records();
  try {
    const lines = createInterface({
      input: file === '-' ? input : createReadStream(file, 'utf8'),
      crlfDelay: Number.POSITIVE_INFINITY,
    });
    for await (const line of lines) sample.add(line);
  } catch (cause) {
    throw new CliError(Exit.usage, `--sample ${file} cannot be read`, { cause });
  }
  if (sample.count === 0)
    throw new CliError(
      Exit.usage,
      `in ${file === '-' ? 'what was piped in' : file} there is no line of an access log, no exposure and no {"unit_id": "..."}`,
    );
  return sample;
}

class Records implements Sample {
  count = 0;
  readonly #ids = new Set<string>();
  /** Distinct hashes by experiment and variant. */
  readonly #exposed = new Map<string, Set<string>>();
  #exposedCount = 0;
  /** By direction and route. */
  readonly #requests = new Map<string, number>();

  get ids(): readonly string[] | null {
    return this.#ids.size === 0 ? null : [...this.#ids];
  }

  /** A line that is nothing of all that is passed over: logs of one process may be mixed. */
  add(line: string): void {
    const { unit_id: id, experiment, assigned, unit, msg, route, direction } = recordOf(parsed(line));
    if (typeof id === 'string' && id !== '') {
      if (this.#ids.size < UNITS_MAX) this.#ids.add(id);
    } else if (msg === 'request' && typeof route === 'string') {
      const key = `${String(direction)}\0${route}`;
      this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
    } else if (typeof experiment === 'string' && typeof assigned === 'string' && typeof unit === 'string') {
      this.#expose(`${experiment}\0${assigned}`, unit);
    } else return;
    this.count++;
  }

  expected(plan: Plan): ExpectedChange {
    return {
      records: this.count,
      units: plan.experiments.flatMap(({ name, moves, sharesBefore }) =>
        moves.flatMap(({ from, to, share }) => {
          const seen = from === null ? 0 : (this.#exposed.get(`${name}\0${from}`)?.size ?? 0);
          const whole = from === null ? 0 : (sharesBefore[from] ?? 0);
          if (from === null || seen === 0 || whole === 0) return [];
          return [{ experiment: name, from, to, seen, moving: Math.round((seen * share) / whole) }];
        }),
      ),
      requests: plan.upstreams.flatMap(({ route, direction, upstream, before, after }) => {
        const requests = this.#requests.get(`${direction}\0${route}`) ?? 0;
        if (requests === 0) return [];
        return [
          { route, upstream, before: Math.round(requests * before), after: Math.round(requests * after) },
        ];
      }),
    };
  }

  #expose(arm: string, unit: string): void {
    if (this.#exposedCount >= UNITS_MAX) return;
    const units = this.#exposed.get(arm) ?? new Set<string>();
    this.#exposed.set(arm, units);
    const before = units.size;
    units.add(unit);
    this.#exposedCount += units.size - before;
  }
}

/** An exposure may be the data of a CloudEvent. */
function recordOf(value: Record<string, unknown>): Record<string, unknown> {
  const { specversion, data } = value;
  return specversion !== undefined && typeof data === 'object' && data !== null
    ? (data as Record<string, unknown>)
    : value;
}

function parsed(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
