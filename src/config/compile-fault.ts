/** The faults of a declared configuration, those of routes first, to what the data plane reads. Pure. */
import type { Fault, FaultScope, ScopedFault } from '../resilience/fault.ts';
import type { Config } from './schema.ts';
import type { FaultConfig } from './schema-fault.ts';
import { PPM } from './units.ts';

export type { Fault, FaultScope, ScopedFault } from '../resilience/fault.ts';
export { describeFault, nameOfScope } from '../resilience/fault.ts';

export function compileFaults({ routes = [], experiments }: Config): ScopedFault[] {
  const faults: ScopedFault[] = [];
  const add = (
    scope: FaultScope,
    config: (FaultConfig & { until?: number | undefined }) | undefined,
  ): void => {
    if (config === undefined) return;
    const untilWallMs = config.until ?? Number.POSITIVE_INFINITY;
    faults.push({ ...scope, fault: compileFault(config), untilWallMs, untilMs: Number.POSITIVE_INFINITY });
  };
  for (const { name, fault } of routes) add({ route: name, experiment: null, variant: null }, fault);
  for (const [experiment, { variants }] of Object.entries(experiments))
    for (const [variant, { fault }] of Object.entries(variants))
      add({ route: null, experiment, variant }, fault);
  return faults;
}

export function compileFault({ delay, abort, reset, when }: FaultConfig): Fault {
  return {
    delay:
      delay === undefined
        ? null
        : { durationMs: delay.duration, jitterMs: delay.jitter, ratio: delay.rate / PPM },
    abort: abort === undefined ? null : { status: abort.status, ratio: abort.rate / PPM },
    reset: reset === undefined ? null : { ratio: reset.rate / PPM },
    when: when === undefined ? null : { header: when.header, value: when.value ?? null },
  };
}
