/** Mode, error budget and too many openings of the breaker of one variant. Pure. */
import type { BudgetSettings, BurnRule } from '../resilience/budget.ts';
import type { TripsMax } from '../resilience/transition.ts';
import type { BreakerConfig, BreakerOverrideConfig } from './schema-breaker.ts';
import type { BudgetConfig } from './schema-budget.ts';
import { PPM } from './units.ts';

/** The rules of Google's SRE workbook for 30 days, as parts of the period. */
const RULES = [
  { rate: 14.4, longParts: 720, shortParts: 8640 },
  { rate: 6, longParts: 120, shortParts: 1440 },
];
/** Of a period of a minute the workbook's short time would be 7 ms, which says nothing. */
const SHORT_MIN_MS = 1000;

export interface Budgeting {
  readonly mode: 'enforce' | 'observe';
  readonly budget: BudgetSettings | null;
  readonly tripsMax: TripsMax | null;
}

/**
 * @param isLastResort Its budget is counted and opens nothing, unless it says so itself: behind it there is nothing.
 * And a kill would give everyone just this variant.
 */
export function compileBudgeting(
  base: BreakerConfig,
  own: BreakerOverrideConfig | undefined,
  isLastResort: boolean,
): Budgeting {
  const budget = own?.budget ?? base.budget ?? 'off';
  const maxTrips = isLastResort ? 'off' : (own?.maxTrips ?? base.maxTrips ?? 'off');
  const isCountedOnly = isLastResort && own?.budget === undefined;
  return {
    mode: own?.mode ?? base.mode,
    budget: budget === 'off' ? null : budgetSettings(budget, isCountedOnly),
    tripsMax: maxTrips === 'off' ? null : { count: maxTrips.count, withinMs: maxTrips.within },
  };
}

function budgetSettings({ target, period, burn }: BudgetConfig, isCountedOnly: boolean): BudgetSettings {
  const rules = burn?.map(({ rate, long, short }) => ({ rate, longMs: long, shortMs: short }));
  return {
    targetRatio: target / PPM,
    periodMs: period,
    burn: rules ?? defaultRules(period),
    isCountedOnly,
  };
}

function defaultRules(periodMs: number): BurnRule[] {
  return RULES.map(({ rate, longParts, shortParts }) => {
    const shortMs = Math.max(SHORT_MIN_MS, periodMs / shortParts);
    return { rate, longMs: Math.max(shortMs, periodMs / longParts), shortMs };
  });
}
