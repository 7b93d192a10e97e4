/**
 * `GET /v1/stats`: what goes on right now. The metrics are read every two seconds while somebody wants to know, and not
 * at all otherwise. Never decides anything.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Clock } from '../base/clock.ts';
import type { Route, Snapshot } from '../config/snapshot.ts';
import type { LiveCounts } from '../telemetry/live-counts.ts';
import {
  type LiveNames,
  type LiveStats,
  liveStats,
  type Reading,
  readingOf,
} from '../telemetry/live-stats.ts';
import { AdminError } from './problem.ts';
import { resource } from './resource.ts';

const INTERVAL_MS = 2_000;
/** The first interval is short, so that who asks once has numbers soon. */
const FIRST_INTERVAL_MS = 500;
/** Who asks waits no longer. */
const ANSWER_MS = 5_000;
/** So long after somebody asked the metrics are still read. */
const WANTED_MS = 30_000;

export interface StatsOptions {
  readonly control: { readonly snapshot: Snapshot };
  readonly clock: Clock;
  /** What was counted, by each process that carries traffic. Never rejects. */
  readonly counts: () => Promise<readonly LiveCounts[]>;
}

/** With the time in ISO 8601. */
export type StatsView = LiveStats & { readonly at: string };

type StatsListener = (stats: StatsView) => void;

/** Reads the metrics while it is asked. */
export class StatsSampler {
  readonly #options: StatsOptions;
  readonly #listeners = new Set<StatsListener>();
  #timer: NodeJS.Timeout | null = null;
  #isReading = false;
  #isClosed = false;
  #askedMs = 0;
  #before: Reading | null = null;
  #latest: StatsView | null = null;

  constructor(options: StatsOptions) {
    this.#options = options;
  }

  /** The latest, which has an interval: the first time that takes half a second. Rejects when they cannot be read. */
  async latest(): Promise<StatsView> {
    this.#want();
    if (this.#latest !== null && this.#latest.intervalMs !== null) return this.#latest;
    return new Promise((resolve, reject) => {
      const waited = setTimeout(() => done(null), ANSWER_MS).unref();
      const done = (stats: StatsView | null): void => {
        if (stats !== null && stats.intervalMs === null) return;
        clearTimeout(waited);
        this.#listeners.delete(done);
        if (stats === null) reject(new AdminError('internal', 'The metrics could not be read in time.'));
        else resolve(stats);
      };
      this.#listeners.add(done);
    });
  }

  /** The latest as it is; null: nothing was read yet. */
  get current(): StatsView | null {
    return this.#latest;
  }

  /** Told all from now on; must not throw. Returns how to stop. */
  subscribe(listener: StatsListener): () => void {
    this.#listeners.add(listener);
    this.#want();
    return () => this.#listeners.delete(listener);
  }

  /** Nothing is read any more. */
  close(): void {
    this.#isClosed = true;
    this.#stop();
  }

  #want(): void {
    this.#askedMs = this.#options.clock.now();
    if (this.#timer === null && !this.#isReading) void this.#read();
  }

  /** Never rejects: what is wrong with a reading ends neither the loop nor the process. */
  async #read(): Promise<void> {
    const { counts, clock, control } = this.#options;
    if (this.#isClosed) return;
    this.#isReading = true;
    try {
      const counted = await counts();
      const atMs = clock.now();
      // Each step takes milliseconds where there are hundreds of experiments, and this may be what carries the traffic.
      await nextTurn();
      const reading = readingOf(counted, atMs);
      await nextTurn();
      const stats = liveStats(namesOf(control.snapshot), reading, this.#before);
      this.#latest = { at: new Date(clock.wallMs()).toISOString(), ...stats };
      this.#before = reading;
      for (const listener of [...this.#listeners]) listener(this.#latest);
    } catch {
      this.#before = null;
    }
    this.#isReading = false;
    if (this.#isClosed) return;
    if (this.#listeners.size === 0 && clock.now() - this.#askedMs > WANTED_MS) return this.#stop();
    const isFirst = this.#latest === null || this.#latest.intervalMs === null;
    this.#timer = setTimeout(() => void this.#read(), isFirst ? FIRST_INTERVAL_MS : INTERVAL_MS);
    this.#timer.unref();
  }

  #stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#before = null;
    this.#latest = null;
  }
}

/** Adds the resource. */
export function addStats(app: FastifyInstance, sampler: Pick<StatsSampler, 'latest'>): void {
  resource(app, '/v1/stats', {
    GET: async (_request, reply) => reply.header('cache-control', 'no-store').send(await sampler.latest()),
  });
}

/** What the configuration has, in its order. */
function namesOf({ experiments, routes }: Snapshot): LiveNames {
  const nameOf = ({ name }: Pick<Route, 'name'>): string => name;
  return {
    experiments: Array.from(experiments.values(), ({ name, variants }) => ({
      name,
      variants: variants.map((variant) => variant.name),
    })),
    routes: [...new Set([...routes.inbound.all.map(nameOf), ...routes.outbound.all.map(nameOf)])],
  };
}
