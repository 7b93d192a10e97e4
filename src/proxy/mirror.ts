/**
 * The mirror of one experiment: chooses requests, sends each twice to control and once to the candidate beside the caller,
 * and has the answers compared. Within a budget; what is beyond it is counted and not sent. Nothing of it is on the
 * caller's way, and none of it can fail a request.
 */
import { createHmac } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Answer } from '../analysis/diff/diff-answers.ts';
import { DiffRecord } from '../analysis/diff/diff-record.ts';
import type { MirrorSettings } from '../config/compile-mirror.ts';
import { TokenBucket } from '../resilience/token-bucket.ts';
import type { MirrorMissed } from '../telemetry/mirror-metrics.ts';
import { type MirrorView, NOTHING_MISSED } from '../telemetry/mirror-view.ts';
import type { DataPlane } from './data-plane.ts';
import { readAnswer } from './mirror-answer.ts';
import { MirrorCall, type MirrorRequest, type RawAnswer } from './mirror-call.ts';
import type { Pool } from './pool.ts';
import type { UpstreamGroup } from './upstream-group.ts';

/** Of the digests that stand for values. */
const DIGEST_CHARS = 12;
const KEY_BYTES = 32;

/** A request that was chosen. */
export interface MirrorSample {
  readonly route: string;
  readonly control: MirrorRequest;
  readonly candidate: MirrorRequest;
  readonly groups: { readonly control: UpstreamGroup; readonly candidate: UpstreamGroup };
}

export interface MirrorOptions {
  readonly plane: DataPlane;
  /** The connections of its own to one of the endpoints of a group; null: there is none. */
  readonly poolOf: (group: UpstreamGroup) => Pool | null;
}

export class Mirror {
  readonly settings: MirrorSettings;
  readonly #options: MirrorOptions;
  #record: DiffRecord;
  readonly #bucket: TokenBucket;
  readonly #key: string;
  #missed = { ...NOTHING_MISSED };
  readonly #calls = new Set<MirrorCall>();
  #inFlight = 0;
  #isFailing = false;
  #isClosed = false;

  constructor(settings: MirrorSettings, options: MirrorOptions) {
    const { clock, random } = options.plane;
    this.settings = settings;
    this.#options = options;
    this.#bucket = new TokenBucket(settings.rate, clock.now());
    this.#key = random.hex(KEY_BYTES);
    this.#record = this.#newRecord();
  }

  /** Begin anew. What is under way belongs to what comes. */
  forget(): void {
    this.#record = this.#newRecord();
    this.#missed = { ...NOTHING_MISSED };
  }

  /** Whether this request is one of those that are mirrored. */
  chooses(method: string): boolean {
    return this.settings.methods.includes(method) && this.#options.plane.random.next() < this.settings.share;
  }

  /** A request that was chosen is not compared. */
  miss(reason: MirrorMissed): void {
    this.#missed[reason]++;
    this.#options.plane.metrics.mirrors.missed(this.settings.experiment, reason).value++;
  }

  /** Sends it if the budget allows, when what is being done for the caller is done. */
  take(sample: MirrorSample): void {
    if (this.#inFlight >= this.settings.concurrency) return this.miss('concurrency');
    if (!this.#bucket.take(this.#options.plane.clock.now())) return this.miss('rate');
    this.#inFlight++;
    setImmediate(() => {
      void this.#safely(sample);
    });
  }

  /** What is under way is cut; it is not used any more. */
  close(): void {
    this.#isClosed = true;
    for (const call of this.#calls) call.cancel();
  }

  view(): MirrorView {
    const { experiment, control, candidate, share } = this.settings;
    return {
      ...{ experiment, control, candidate, share },
      inFlight: this.#inFlight,
      missed: { ...this.#missed },
      diffs: this.#record.toJSON(),
    };
  }

  /** A mistake in here must not end the process. What went wrong may hold parts of an answer, so only its kind is said. */
  async #safely(sample: MirrorSample): Promise<void> {
    try {
      await this.#send(sample);
    } catch (error) {
      const { experiment } = this.settings;
      const facts = { experiment, error: error instanceof Error ? error.name : 'unknown' };
      if (!this.#isFailing) this.#options.plane.log.error(facts, 'mirroring failed; this is a bug');
      this.#isFailing = true;
      this.miss('unanswered');
    }
    this.#inFlight--;
  }

  async #send(sample: MirrorSample): Promise<void> {
    if (this.#isClosed) return;
    const raw = await this.#ask(sample);
    if (this.#isClosed) return;
    // Without an answer to compare with, the others say nothing.
    if (raw[0].status === 0 || raw.some(({ isStale }) => isStale)) return this.miss('unanswered');
    const { bodyMaxBytes, experiment } = this.settings;
    const answers = await Promise.all(raw.map((answer) => readAnswer(answer, bodyMaxBytes)));
    const hits = await this.#compare(answers as [Answer, Answer, Answer], sample.route);
    const { mirrors } = this.#options.plane.metrics;
    for (const role of ['control', 'candidate'] as const) {
      const variant = this.settings[role];
      mirrors.compared(experiment, variant).value++;
      if (hits[role]) mirrors.differences(experiment, variant).value++;
    }
  }

  #newRecord(): DiffRecord {
    const { compare, hasSamples } = this.settings;
    const digest = (text: string): string =>
      createHmac('sha256', this.#key).update(text).digest('hex').slice(0, DIGEST_CHARS);
    return new DiffRecord({
      rules: compare,
      hasSamples,
      sinceMs: this.#options.plane.clock.wallMs(),
      digest,
    });
  }

  /** Control, control again, and the candidate. */
  #ask({ control, candidate, groups }: MirrorSample): Promise<[RawAnswer, RawAnswer, RawAnswer]> {
    const first = this.#call(groups.control, control);
    // What changes with time differs more often from the first in whichever is sent last: so neither is that always.
    const early = this.#options.plane.random.next() < 0.5 ? this.#call(groups.candidate, candidate) : null;
    const again = this.#call(groups.control, control);
    return Promise.all([first, again, early ?? this.#call(groups.candidate, candidate)]);
  }

  async #compare([control, again, candidate]: [Answer, Answer, Answer], route: string) {
    const noise = this.#record.compare(control, again);
    // Each takes some milliseconds at worst, and requests wait for no longer.
    await nextTurn();
    const differences = this.#record.compare(control, candidate);
    const at = new Date(this.#options.plane.clock.wallMs()).toISOString();
    return this.#record.add({ noise, differences, again, candidate }, { at, route });
  }

  async #call(group: UpstreamGroup, request: MirrorRequest): Promise<RawAnswer> {
    const pool = this.#options.poolOf(group);
    if (pool === null) return NO_ENDPOINT;
    const call = new MirrorCall(pool, request, this.settings);
    this.#calls.add(call);
    const answer = await call.answered;
    this.#calls.delete(call);
    return answer;
  }
}

const NO_ENDPOINT: RawAnswer = {
  status: 0,
  problem: 'upstream_unresolved',
  headers: new Map(),
  body: null,
  hash: '',
  bytes: 0,
  ms: 0,
  isStale: false,
};
