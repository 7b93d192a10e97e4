/**
 * What a sidecar does about its breakers beside asking them: their memory over restarts, kills, the record and
 * webhooks, put together. In the process that keeps the rules.
 */
import { type Clock, systemRandom } from '../base/clock.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { BreakerLedger } from '../control/breaker-ledger.ts';
import { BreakerWatch } from '../control/breaker-watch.ts';
import type { ControlEvent } from '../control/events.ts';
import type { ControlState } from '../control/state.ts';
import { Webhooks } from '../control/webhooks.ts';
import type { Transition } from '../resilience/breaker.ts';
import type { BreakerMemory } from '../resilience/breaker-view.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';

/** A stop is not held up for longer by news that nobody takes. */
const WEBHOOK_GRACE_MS = 2_000;

export interface BreakerSupportOptions {
  readonly control: ControlState;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly onEvent: (event: ControlEvent) => void;
}

export class BreakerSupport {
  readonly #control: ControlState;
  readonly webhooks: Webhooks;
  readonly #watch: BreakerWatch;
  readonly #ledger: BreakerLedger;

  constructor({ control, clock, metrics, log, onEvent }: BreakerSupportOptions) {
    this.#control = control;
    this.webhooks = new Webhooks({
      clock,
      random: systemRandom,
      onOutcome: (webhook, outcome) => {
        metrics.breakers.webhook(webhook, outcome).value++;
      },
      onProblem: (sentence) => log.warn({}, sentence),
    });
    this.webhooks.configure(control.rules.config.webhooks);
    this.#watch = new BreakerWatch({ control, clock, webhooks: this.webhooks, onEvent });
    this.#ledger = new BreakerLedger({
      clock,
      saved: control.savedBreakers,
      onChange: (lines) => control.keepBreakers(lines),
    });
  }

  /** What is known of a new breaker from before; null: nothing. */
  readonly remembered = (name: string) => this.#ledger.remembered(name);

  /** A breaker has moved. */
  moved(transition: Transition): void {
    this.#watch.moved(transition);
  }

  /** From now on `read` says which breakers have something to keep. */
  start(read: () => ReadonlyMap<string, BreakerMemory>): void {
    this.#ledger.start(read);
  }

  /** Before other rules come into force: breakers may go with those of before. */
  prepare(): void {
    this.#ledger.prepare();
  }

  /** Other rules are in force. */
  adopted(next: Snapshot, previous: Snapshot | null): void {
    this.#ledger.adopted();
    this.webhooks.configure(this.#control.rules.config.webhooks);
    this.#watch.adopted(next, previous);
  }

  /** Before the state file is written for the last time. */
  async close(): Promise<void> {
    this.#ledger.close();
    await this.webhooks.close(WEBHOOK_GRACE_MS);
  }
}
