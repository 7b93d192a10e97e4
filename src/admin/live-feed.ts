/**
 * What happens in a sidecar, as it happens, to all who watch `GET /v1/events/stream`: what goes on, what was put on
 * record, moves of breakers, rollouts and the rules. Each is made into text once, and not at all when nobody watches.
 */
import { isDeepStrictEqual } from 'node:util';
import type { BreakerHistory } from '../control/breaker-history.ts';
import type { ConfigHistory } from '../control/config-history.ts';
import type { Audit } from './audit.ts';
import type { EventStream } from './event-streams.ts';
import type { ControlPort } from './ports.ts';
import { type RolloutPort, viewOf } from './rollouts.ts';
import type { StatsSampler } from './stats.ts';

export interface LiveFeedOptions {
  readonly control: Pick<ControlPort, 'snapshot'>;
  readonly stats: Pick<StatsSampler, 'subscribe' | 'current'>;
  readonly audit: Pick<Audit, 'subscribe'>;
  readonly breakers: Pick<BreakerHistory, 'subscribe'>;
  readonly config: Pick<ConfigHistory, 'subscribe'>;
  readonly rollouts: Pick<RolloutPort, 'list'>;
  /** Of Fairlead. */
  readonly version: string;
}

export class LiveFeed {
  readonly #options: LiveFeedOptions;
  readonly #streams = new Set<EventStream>();
  readonly #ends: (() => void)[];
  /** Of the stats, which are made while somebody watches. */
  #endStats: (() => void) | null = null;
  /** As they were told last, by experiment. */
  readonly #rollouts = new Map<string, object>();

  constructor(options: LiveFeedOptions) {
    this.#options = options;
    const { audit, breakers, config } = options;
    this.#ends = [
      audit.subscribe((record) => {
        this.#tell('audit', record);
        if (record.action.startsWith('rollout-')) this.#lookAtRollouts();
      }),
      breakers.subscribe((move) => this.#tell('breaker', move)),
      config.subscribe((change) => this.#tell('config', change)),
    ];
  }

  /** Tells a reader all from now on, beginning with who is talking. Returns how to stop. */
  join(stream: EventStream): () => void {
    const { service, version, hash } = this.#options.control.snapshot;
    const hello = { service, fairlead: this.#options.version, version, hash };
    stream.send('hello', JSON.stringify(hello));
    const { current } = this.#options.stats;
    if (current !== null) stream.send('stats', JSON.stringify(current));
    this.#streams.add(stream);
    if (this.#streams.size === 1) this.#begin();
    return () => {
      this.#streams.delete(stream);
      if (this.#streams.size > 0) return;
      this.#endStats?.();
      this.#endStats = null;
    };
  }

  close(): void {
    for (const end of this.#ends) end();
    this.#endStats?.();
  }

  #begin(): void {
    this.#rollouts.clear();
    for (const view of this.#views()) this.#rollouts.set(view.experiment, view);
    this.#endStats = this.#options.stats.subscribe((stats) => {
      this.#tell('stats', stats);
      this.#lookAtRollouts();
    });
  }

  #tell(event: string, data: object): void {
    if (this.#streams.size === 0) return;
    const text = JSON.stringify(data);
    for (const stream of this.#streams) stream.send(event, text);
  }

  #views() {
    return this.#options.rollouts.list().map(viewOf);
  }

  /** One that is under way counts, so it changes nearly every time. */
  #lookAtRollouts(): void {
    if (this.#streams.size === 0) return;
    for (const view of this.#views()) {
      if (isDeepStrictEqual(view, this.#rollouts.get(view.experiment))) continue;
      this.#rollouts.set(view.experiment, view);
      this.#tell('rollout', view);
    }
  }
}
