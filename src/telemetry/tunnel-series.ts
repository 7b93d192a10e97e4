/** What tunnels count into: one object per (direction, route, experiment, variant), plain fields. Never allocates. */
import { Buckets, Histogram } from './histogram.ts';

/**
 * What ended a tunnel: who closed it first, or why Fairlead did. `-reset`: without the orderly end of its protocol,
 * TCP's. In the order of the cells of a `TunnelSeries`.
 */
export const TUNNEL_CAUSES = [
  'client',
  'client-reset',
  'upstream',
  'upstream-reset',
  'idle',
  'max-age',
  'drain',
  'killed',
  'concluded',
] as const;

export type TunnelCause = (typeof TUNNEL_CAUSES)[number];

/** From a connection that never worked to a quarter of an hour, which is as far as the cells of a histogram go. */
const TUNNEL_BUCKETS = new Buckets([0.1, 1, 5, 10, 30, 60, 300, 900]);

/** The counts of one label set. */
export class TunnelSeries {
  /** Open tunnels. */
  active = 0;
  /** From clients. */
  receivedBytes = 0;
  /** To clients. */
  sentBytes = 0;
  /** Ended tunnels by cause. */
  readonly ended = new Float64Array(TUNNEL_CAUSES.length);
  readonly duration = new Histogram(TUNNEL_BUCKETS);

  /** Counts the end of a tunnel that was counted in `active`. */
  end(cause: TunnelCause, durationMs: number): void {
    this.active--;
    const cell = TUNNEL_CAUSES.indexOf(cause);
    this.ended[cell] = (this.ended[cell] as number) + 1;
    this.duration.record(durationMs);
  }
}
