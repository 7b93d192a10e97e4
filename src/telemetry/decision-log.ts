/**
 * The decision log: a sample of the requests whose experiments were decided, each with all that its decision came
 * from, as one NDJSON line that `fairlead replay` decides again. Off unless configured; never fails a request.
 *
 * Who a unit is leaves the process only as a keyed hash, and of the request only what its rules answered, unless
 * `units: plain` asks for more; secrets do not even then, see `experiment/asked.ts`.
 */
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { Random } from '../base/clock.ts';
import { type Asked, Asking } from '../experiment/asked.ts';
import type { Given } from '../experiment/assign.ts';
import type { Assignment } from '../experiment/model.ts';
import { answersOf, entryText, type Outcome } from '../experiment/recorded.ts';
import type { Kept } from '../experiment/sticky.ts';
import type { Counter } from './series.ts';

export const DECISION_FORMAT = 1;

/** A request has a hundred experiments at most, of a few hundred bytes each; a longer line is left out. */
export const DECISION_MAX_CHARS = 256 * 1024;

export interface DecisionSettings {
  /** Share of the requests in parts per million, above 0. */
  readonly samplePpm: number;
  /** Whether units and what rules ask of requests go on record as they are. */
  readonly isPlain: boolean;
}

export interface DecisionLogOptions extends DecisionSettings {
  readonly target: { write(line: string): boolean };
  readonly service: string;
  /** Key of the HMAC-SHA-256 that units are hashed with: that of the exposures. */
  readonly key: string;
  readonly random: Random;
  readonly written: Counter;
  readonly dropped: Counter;
}

/** What a line says of the request, beside its experiments; with the names that it has on record. */
export interface DecisionHead {
  /** ISO 8601. */
  readonly time: string;
  readonly service: string;
  readonly rules: string;
  readonly hash: string;
  readonly direction: string;
  readonly route: string;
  readonly request_id: string;
  readonly excluded: string | null;
  readonly may_override: boolean;
  readonly refused: string | null;
  /** These two only with `units: plain`. */
  readonly request?: { readonly method: string; readonly host: string; readonly path: string } | undefined;
  readonly asked?: Readonly<Asked> | undefined;
}

/** One request, decided. Read during the call only. */
export interface DecidedRequest {
  /** Milliseconds since the epoch: the time that its dates were held against. */
  readonly atMs: number;
  /** Which rules decided, see `config/archived-rules.ts`, and the hash of the configuration in them. */
  readonly rules: string;
  readonly hash: string;
  readonly direction: string;
  readonly route: string;
  readonly requestId: string;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  /** Why nobody served; null: somebody did. */
  readonly refused: string | null;
  readonly given: Given;
  /** In the order in which they were decided. */
  readonly decided: readonly DecidedExperiment[];
}

export interface DecidedExperiment extends Outcome {
  readonly kept: Kept | null;
}

export class DecisionLog {
  readonly #options: DecisionLogOptions;
  readonly #key: KeyObject;
  /** Requests to pass over until the next one that is recorded. */
  #gap: number;

  constructor(options: DecisionLogOptions) {
    this.#options = options;
    this.#key = createSecretKey(Buffer.from(options.key));
    this.#gap = this.#nextGap();
  }

  /** Whether this request is one of the sample. HOT: a comparison; entropy is asked for once a record. */
  isDue(): boolean {
    if (this.#gap-- > 0) return false;
    this.#gap = this.#nextGap();
    return true;
  }

  /** Writes the decision. Never throws. */
  record(request: DecidedRequest): void {
    const { target, written, dropped } = this.#options;
    const line = this.#format(request);
    if (line.length > DECISION_MAX_CHARS) dropped.value++;
    else if (target.write(line)) written.value++;
  }

  /** How many failures come before the first success, each with the odds of the sample: a geometric distribution. */
  #nextGap(): number {
    const { samplePpm, random } = this.#options;
    if (samplePpm >= 1_000_000) return 0;
    return Math.floor(Math.log(1 - random.next()) / Math.log(1 - samplePpm / 1_000_000));
  }

  #format(request: DecidedRequest): string {
    const { given, decided } = request;
    const asking = this.#options.isPlain ? new Asking(given.request) : null;
    const hash = (unit: string): string => createHmac('sha256', this.#key).update(unit).digest('hex');
    const entries = decided.map(({ kept, ...outcome }) => {
      const answers = answersOf(
        { assignment: outcome.assignment, given, kept },
        asking ?? given.request,
        hash,
      );
      return { answers, outcome };
    });
    const isWhole = asking !== null && !asking.isWithheld;
    const texts = entries.map(({ answers, outcome }) =>
      entryText(answers, outcome, isWhole ? drawn(outcome.assignment) : null),
    );
    const { method, host, path } = request;
    const head: DecisionHead = {
      time: new Date(request.atMs).toISOString(),
      service: this.#options.service,
      rules: request.rules,
      hash: request.hash,
      direction: request.direction,
      route: request.route,
      request_id: request.requestId,
      excluded: given.excluded ?? null,
      may_override: given.ignoresRoutingKeys !== true,
      refused: request.refused,
      ...(isWhole ? { request: { method, host, path }, asked: asking.asked } : {}),
    };
    return `${decisionText(head, texts)}\n`;
  }
}

/** A line without its "\n". @param entries `entryText` of each experiment */
export function decisionText(head: DecisionHead, entries: readonly string[]): string {
  const { time, service, rules, hash, direction, route, request_id, excluded } = head;
  const { may_override, refused, request, asked } = head;
  const own = { time, service, rules, hash, direction, route, request_id, excluded, may_override, refused };
  const text = JSON.stringify({
    format: DECISION_FORMAT,
    ...own,
    ...(asked === undefined ? {} : { request, asked }),
  });
  return `${text.slice(0, -1)},"experiments":[${entries.join(',')}]}`;
}

/** The unit that was drawn for this request alone: nobody could find it again. */
function drawn({ unit, unitSource }: Assignment): string | null {
  return unitSource === 'request' ? unit : null;
}
