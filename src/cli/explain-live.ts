/** `explain` of a running sidecar, for its admin API. */
import type { Explain } from '../admin/ports.ts';
import type { Clock, Random } from '../base/clock.ts';
import { explainRequest } from './explain-request.ts';

/** @param random Only asked for experiments whose unit is the request. */
export function liveExplainer(clock: Pick<Clock, 'wallMs'>, random: Random): Explain {
  return ({ showUnit, headers, ...request }, snapshot, isOpen) =>
    explainRequest(
      snapshot,
      { ...request, headers: new Map(Object.entries(headers)) },
      { random, wallMs: clock.wallMs(), showUnit, isOpen },
    );
}
