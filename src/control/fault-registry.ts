/**
 * The faults that people make on purpose while the sidecar runs: each has an end, ends by itself, and is gone at a
 * restart. Keeps the list and says when it changes; `proxy/faults.ts` carries it out.
 */
import type { Clock } from '../base/clock.ts';
import { formatDuration } from '../config/units.ts';
import {
  describeFault,
  type Fault,
  type FaultScope,
  nameOfScope,
  type ScopedFault,
} from '../resilience/fault.ts';
import type { ControlEvent } from './events.ts';

/** More than anybody keeps track of. */
export const FAULTS_MAX = 100;

/** A fault as it is asked for. */
export interface FaultOrder extends FaultScope {
  readonly fault: Fault;
  readonly forMs: number;
  readonly reason: string;
  readonly actor: string;
}

export interface RunningFault extends FaultOrder {
  readonly id: string;
  /** Milliseconds since the epoch, for people. */
  readonly startedAtMs: number;
  readonly endsAtMs: number;
  /** On the monotonic clock. */
  readonly endsMs: number;
}

export interface FaultRegistryOptions {
  readonly clock: Clock;
  /** Told of all that are in force, at each change. */
  readonly onChange: (faults: readonly ScopedFault[]) => void;
  /** Must not throw. */
  readonly onEvent: (event: ControlEvent) => void;
}

export class FaultRegistry {
  readonly #options: FaultRegistryOptions;
  readonly #running = new Map<string, { readonly fault: RunningFault; readonly timer: NodeJS.Timeout }>();
  #nextId = 1;

  constructor(options: FaultRegistryOptions) {
    this.#options = options;
  }

  /** In force when this returns; null: there are FAULTS_MAX already. */
  add(order: FaultOrder): RunningFault | null {
    if (this.#running.size >= FAULTS_MAX) return null;
    const { clock } = this.#options;
    const { forMs } = order;
    const wallMs = clock.wallMs();
    const id = `f${this.#nextId++}`;
    const ends = { endsAtMs: wallMs + forMs, endsMs: clock.now() + forMs };
    const fault: RunningFault = { ...order, id, startedAtMs: wallMs, ...ends };
    const timer = setTimeout(() => this.remove(id, 'time', 'its time is over'), forMs);
    timer.unref();
    this.#running.set(id, { fault, timer });
    this.#changed();
    this.#tell(fault, { action: 'inject', actor: order.actor, reason: order.reason });
    return fault;
  }

  /** Ends one before its time; false: there is none with this id. */
  remove(id: string, actor: string, reason: string): boolean {
    const found = this.#running.get(id);
    if (found === undefined) return false;
    clearTimeout(found.timer);
    this.#running.delete(id);
    this.#changed();
    this.#tell(found.fault, { action: 'end-fault', actor, reason });
    return true;
  }

  /** The oldest first. */
  list(): RunningFault[] {
    return Array.from(this.#running.values(), ({ fault }) => fault);
  }

  /** No timer is left. */
  close(): void {
    for (const { timer } of this.#running.values()) clearTimeout(timer);
    this.#running.clear();
  }

  #changed(): void {
    this.#options.onChange(
      this.list().map(({ route, experiment, variant, fault, endsMs }) => ({
        ...{ route, experiment, variant, fault },
        untilMs: endsMs,
        untilWallMs: Number.POSITIVE_INFINITY,
      })),
    );
  }

  #tell(
    one: RunningFault,
    { action, actor, reason }: { readonly action: string; readonly actor: string; readonly reason: string },
  ): void {
    const state = `${describeFault(one.fault)} for ${formatDuration(one.forMs)}`;
    const [before, after] = action === 'inject' ? ['none', state] : [state, 'none'];
    const at = new Date(this.#options.clock.wallMs()).toISOString();
    const target = `${nameOfScope(one)} (${one.id})`;
    this.#options.onEvent({ kind: 'audit', at, actor, action, target, reason, before, after });
  }
}
