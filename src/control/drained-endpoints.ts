/**
 * The endpoints that people took out by hand while the sidecar runs. A list that outlives reloads and is gone at a
 * restart; the data plane carries it out.
 */

export interface EndpointName {
  readonly upstream: string;
  /** As `GET /v1/upstreams` calls it. */
  readonly endpoint: string;
}

/** More than anybody takes out one by one. */
export const DRAINED_MAX = 1000;

export class DrainedEndpoints {
  readonly #onChange: (drained: readonly EndpointName[]) => void;
  #drained: readonly EndpointName[] = [];

  /** `onChange` is told of all that are out, at each change. */
  constructor(onChange: (drained: readonly EndpointName[]) => void) {
    this.#onChange = onChange;
  }

  has(upstream: string, endpoint: string): boolean {
    return this.#drained.some((one) => one.upstream === upstream && one.endpoint === endpoint);
  }

  /** Takes one out, or lets it back in. Answers false when DRAINED_MAX are out already. */
  set(upstream: string, endpoint: string, isOut: boolean): boolean {
    const others = this.#drained.filter((one) => one.upstream !== upstream || one.endpoint !== endpoint);
    if (isOut && others.length >= DRAINED_MAX) return false;
    this.#drained = isOut ? [...others, { upstream, endpoint }] : others;
    this.#onChange(this.#drained);
    return true;
  }
}
