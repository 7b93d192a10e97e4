/** A run of the open loop against a proxy that has its core to itself. */
import type { OpenLoop, OpenLoopResult } from './open-loop.ts';
import { canPin, OTHERS_MAX_RATIO, watchOthers } from './processes.ts';
import { PROXY_CORE } from './rig.ts';

/** A generator as late as this measures itself; the shot is repeated. */
const LAG_MAX_US = 500;
const REPEATS_MAX = 2;

export type Run = OpenLoopResult & { readonly isDisturbed: boolean };

/** One run, repeated when it was disturbed. `pid` is the proxy; null: there is none. */
export async function runUndisturbed(loop: OpenLoop, pid: number | null): Promise<Run> {
  let run = await runOnce(loop, pid);
  for (let repeat = 0; repeat < REPEATS_MAX && run.isDisturbed; repeat++) run = await runOnce(loop, pid);
  return run;
}

/** Disturbed when others kept the generator or the proxy from its core: what is measured then is their doing. */
async function runOnce(loop: OpenLoop, pid: number | null): Promise<Run> {
  const others = watchOthers(PROXY_CORE, pid);
  const result = await loop.run();
  const isDisturbed = result.lagUs.p99 > LAG_MAX_US || (canPin() && others() > OTHERS_MAX_RATIO);
  return { ...result, isDisturbed };
}
