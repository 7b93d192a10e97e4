/** What happens when an attempt fails, as declared to compiled. Pure. */
import { FailureSet } from '../resilience/failure.ts';
import type { RetrySettings } from '../resilience/retry.ts';
import type { RetryBudgetSettings } from '../resilience/retry-budget.ts';
import {
  type FailoverConfig,
  failoverSchema,
  type RetriesConfig,
  type RetryBudgetConfig,
} from './schema-retry.ts';
import { PPM } from './units.ts';

/** When the fallback serves a request that another variant has failed. */
export interface FailoverSettings {
  readonly on: FailureSet;
  /** How long the other variant has to begin to answer; 0: half of the time that the request has. */
  readonly afterMs: number;
  /** Of the requests to the other variants; 1: all of them may be served so. */
  readonly budgetRatio: number;
}

/** Which fields say how long a request may take. */
export interface DeadlineSettings {
  /** Lower case; null: none. */
  readonly header: string | null;
  readonly isGrpcHeeded: boolean;
}

/** As a route has it that says nothing of it. */
export const DEFAULT_FAILOVER: FailoverConfig = failoverSchema.parse({});

const NO_RETRIES = { on: null, perTryMs: 0, backOffMs: 0, backOffMaxMs: 0, hedgeAfterMs: 0 };

export function compileRetries(retries: RetriesConfig | undefined): RetrySettings {
  if (retries === undefined) return { ...NO_RETRIES, attemptsMax: 2 };
  if (retries === false) return { ...NO_RETRIES, attemptsMax: 1 };
  return {
    attemptsMax: retries.attempts,
    on: new FailureSet(retries.on),
    perTryMs: retries.perTry ?? 0,
    backOffMs: retries.backOff.base,
    backOffMaxMs: retries.backOff.max,
    hedgeAfterMs: retries.hedge?.after ?? 0,
  };
}

/** Null: never. */
export function compileFailover(failover: FailoverConfig): FailoverSettings | null {
  if (failover === false) return null;
  return {
    on: new FailureSet(failover.on),
    afterMs: failover.after ?? 0,
    budgetRatio: failover.budget / PPM,
  };
}

export function compileRetryBudget({ ratio, minPerSecond }: RetryBudgetConfig): RetryBudgetSettings {
  return { ratio: ratio / PPM, minPerSecond };
}
