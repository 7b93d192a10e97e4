/** The endpoints of an upstream, and which of them is next. */
import type { Upstream } from '../config/snapshot.ts';
import type { Pool } from './pool.ts';

/** The pools of an upstream's endpoints, taken in turn. */
export class UpstreamGroup {
  readonly upstream: Upstream;
  readonly pools: readonly Pool[];
  #next = 0;

  constructor(upstream: Upstream, pools: readonly Pool[]) {
    this.upstream = upstream;
    this.pools = pools;
  }

  /**
   * The next endpoint in turn; with `avoided`, another one if there is one. A second choice does not take a turn:
   * with two endpoints, it would send every request to the dead one first.
   */
  choose(avoided: Pool | null): Pool {
    const pools = this.pools;
    let at = (this.#next + 1) % pools.length;
    if (avoided === null) this.#next = at;
    else if (pools[at] === avoided) at = (at + 1) % pools.length;
    return pools[at]!;
  }
}
