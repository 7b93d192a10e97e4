/** Time that a test moves, so that what is to be over is over, and nothing else however busy the machine is. */
import { expect } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import type { Downstream } from '../../src/proxy/downstream.ts';
import type { TestPlane } from './plane.ts';
import type { Rig } from './rig.ts';

export const MINUTE_MS = 60_000;

/** The real clock, which can be put forward. */
export class ForwardClock implements Clock {
  #aheadMs = 0;

  now(): number {
    return systemClock.now() + this.#aheadMs;
  }

  wallMs(): number {
    return systemClock.wallMs() + this.#aheadMs;
  }

  forward(ms: number): void {
    this.#aheadMs += ms;
  }
}

/** The plane has looked at its deadlines since. */
export async function ticked({ plane }: Pick<TestPlane, 'plane'>): Promise<void> {
  const nowMs = plane.clock.now();
  await expect.poll(() => plane.deadlines.nowMs, { interval: 5 }).toBeGreaterThanOrEqual(nowMs);
}

/** So much later the plane has looked at its deadlines. */
export async function forwarded(
  proxy: Pick<TestPlane, 'plane'>,
  clock: ForwardClock,
  ms: number,
): Promise<void> {
  clock.forward(ms);
  await ticked(proxy);
}

/** Time stands still. */
export const STANDING: Clock = { now: () => 0, wallMs: () => systemClock.wallMs() };

/** A plane on a clock of its own. */
export interface ForwardPlane extends TestPlane {
  /** So much later the plane has looked at its deadlines. */
  forward(ms: number): Promise<void>;
  /** Connections of clients. */
  connections(): Downstream[];
  /** The only connection has brought so many bytes. */
  hasRead(bytes: number): Promise<void>;
  /** The condition holds for the only connection, and no byte comes from it any more. */
  standsStill(condition: (connection: Downstream) => boolean): Promise<void>;
}

/** As `rig.plane`. */
export async function forwardPlane(
  rig: Rig,
  endpoints: readonly string[],
  settings: object = {},
): Promise<ForwardPlane> {
  const clock = new ForwardClock();
  const proxy = await rig.plane(endpoints, settings, clock);
  const connections = () => [...proxy.plane.listeners[0]!.connections];
  const bytesRead = () => connections()[0]?.socket.bytesRead ?? 0;
  return {
    ...proxy,
    connections,
    forward: (ms) => forwarded(proxy, clock, ms),
    hasRead: (bytes) => expect.poll(bytesRead, { interval: 5 }).toBe(bytes),
    async standsStill(condition) {
      let before = -1;
      const isStill = () => {
        const now = condition(connections()[0]!) ? bytesRead() : -1;
        const isSame = now >= 0 && now === before;
        before = now;
        return isSame;
      };
      await expect.poll(isStill, { interval: 50 }).toBe(true);
    },
  };
}
