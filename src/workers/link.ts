/**
 * One worker process as the primary sees it: what it was told, what it has said, and the questions it has not
 * answered. Rules go out one at a time, the newest last, so that a worker that is stuck holds up nothing and no queue
 * grows. Never decides about the worker's life.
 */
import type { Socket } from 'node:net';
import type { RuntimeState } from '../config/runtime.ts';
import type { Config } from '../config/schema.ts';
import type { FamilySamples } from '../telemetry/exposition.ts';
import type { LiveCounts } from '../telemetry/live-counts.ts';
import type { MirrorView } from '../telemetry/mirror-view.ts';
import type { Question, RequestIds, Rules, ToPrimary, ToWorker, WorkerState } from './messages.ts';
import type { WorkerProcess } from './process.ts';

/** What the control plane has in force. */
export interface CurrentRules {
  readonly config: Config;
  readonly runtime: RuntimeState;
  readonly version: number;
  readonly id: string;
  readonly hash: string;
}

export interface Answer {
  readonly families: readonly FamilySamples[];
  readonly state: WorkerState | null;
  readonly carried: string;
  readonly mirrors: readonly MirrorView[];
  readonly live: LiveCounts | null;
}

interface Asked {
  readonly families: FamilySamples[];
  readonly done: (answer: Answer | null) => void;
}

export class WorkerLink {
  /** The place of the worker, from 1; its successor has the same. */
  readonly worker: number;
  readonly process: WorkerProcess;
  /** Version of the rules that it works by; 0: none yet. */
  version = 0;
  /** Beats of the watch since it said something. */
  silence = 0;
  readonly #asked = new Map<number, Asked>();
  #nextId = 1;
  /** The configuration it has, or will have when it has read its messages. */
  #config: Config | null = null;
  #isAdopting = false;
  #wanted: CurrentRules | null = null;
  #waiting: { readonly version: number; readonly done: () => void }[] = [];

  constructor(worker: number, process: WorkerProcess) {
    this.worker = worker;
    this.process = process;
  }

  send(message: ToWorker, socket?: Socket): void {
    this.process.send(message, socket);
  }

  /** The first message. */
  start(message: Omit<ToWorker & { kind: 'start' }, 'kind' | 'worker' | 'rules'>, rules: CurrentRules): void {
    this.send({ kind: 'start', worker: this.worker, rules: this.#outgoing(rules), ...message });
  }

  /** It should work by these rules; before `start`, nothing. */
  adopt(rules: CurrentRules): void {
    if (this.#config === null) return;
    this.#wanted = rules;
    this.#sendWanted();
  }

  /** It works by this version now. */
  adopted(version: number): void {
    this.version = version;
    this.#isAdopting = false;
    this.#sendWanted();
    const reached = this.#waiting.filter((one) => one.version <= version);
    this.#waiting = this.#waiting.filter((one) => one.version > version);
    for (const { done } of reached) done();
  }

  /** Resolves when it works by this version or a later one, or is gone. */
  reached(version: number): Promise<void> {
    if (this.version >= version) return Promise.resolve();
    return new Promise((done) => this.#waiting.push({ version, done }));
  }

  /** What it says to a question, or null when it has not in `timeoutMs` or is gone. */
  ask(what: Question, timeoutMs: number, ids?: RequestIds): Promise<Answer | null> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => done(null), timeoutMs);
      const done = (answer: Answer | null): void => {
        clearTimeout(timer);
        this.#asked.delete(id);
        resolve(answer);
      };
      this.#asked.set(id, { families: [], done });
      this.send(ids === undefined ? { kind: 'ask', id, what } : { kind: 'ask', id, what, ids });
    });
  }

  answered({
    id,
    families,
    state,
    carried = '',
    mirrors = [],
    live = null,
    isLast,
  }: ToPrimary & { kind: 'answer' }): void {
    const asked = this.#asked.get(id);
    if (asked === undefined) return;
    asked.families.push(...families);
    if (isLast) asked.done({ families: asked.families, state, carried, mirrors, live });
  }

  /** Nobody waits any longer. */
  gone(): void {
    for (const { done } of [...this.#asked.values()]) done(null);
    for (const { done } of this.#waiting) done();
    this.#waiting = [];
  }

  #sendWanted(): void {
    if (this.#isAdopting || this.#wanted === null) return;
    const rules = this.#outgoing(this.#wanted);
    this.#wanted = null;
    this.send({ kind: 'rules', rules });
  }

  /** A configuration may be megabytes, and most changes are of the run-time state alone. */
  #outgoing({ config, ...rest }: CurrentRules): Rules {
    this.#isAdopting = true;
    const isKnown = config === this.#config;
    this.#config = config;
    return { config: isKnown ? null : config, ...rest };
  }
}
