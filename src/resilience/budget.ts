/**
 * The error budget of one variant on one route: how many of its calls may fail over a period, how many have, and how
 * fast the rest is being spent. Fixed memory; told the time, of a monotonic clock, so that a jump of the wall clock
 * fills no budget; what is kept over a restart are ages. The rules are those of Google's SRE workbook, "Alerting on
 * SLOs": a burn rate is the share of failed calls in units of the share that may fail, and a rule speaks when it is
 * reached over a long time, so that it matters, and over a short one, so that it is still going on.
 */
import { formatSpan } from './reason.ts';
import { SpanRing, type SpanRow, type Spent } from './span-ring.ts';

/** Open when the budget burns `rate` times as fast as it lasts, over `longMs` and over `shortMs`. */
export interface BurnRule {
  readonly rate: number;
  readonly longMs: number;
  readonly shortMs: number;
}

export interface BudgetSettings {
  /** Share of the calls that must not fail, in (0, 1). */
  readonly targetRatio: number;
  readonly periodMs: number;
  readonly burn: readonly BurnRule[];
  /** However fast it burns, nothing opens for it. */
  readonly isCountedOnly?: boolean;
}

/** What is kept of a budget over a restart. Ages are from the moment it was read out. */
export interface KeptBudget {
  readonly spans: readonly { readonly spanMs: number; readonly rows: readonly SpanRow[] }[];
}

/** As people see it. */
export interface BudgetView {
  readonly targetRatio: number;
  readonly periodMs: number;
  /** In the period. */
  readonly requests: number;
  readonly failures: number;
  /** 1: untouched; 0: spent; below 0: overspent. 1 without a call. */
  readonly remainingRatio: number;
  readonly burn: readonly (BurnRule & { readonly long: number; readonly short: number })[];
}

/** A rule that speaks. */
export interface Burning {
  readonly rule: BurnRule;
  /** Over the short time. */
  readonly rate: number;
  readonly reason: string;
}

/** A few failures are no rate, however little is allowed: as for the error rate of a breaker. */
const FAILURES_MIN = 5;

const NOTHING: Spent = { requests: 0, failures: 0 };

interface Watched {
  readonly rule: BurnRule;
  readonly long: SpanRing;
  readonly short: SpanRing;
}

export class Budget {
  #settings: BudgetSettings;
  #period: SpanRing;
  #watched: readonly Watched[];
  /** Counted, and in no ring yet. */
  #requests = 0;
  #failures = 0;

  constructor(settings: BudgetSettings) {
    this.#settings = settings;
    this.#period = new SpanRing(settings.periodMs);
    this.#watched = settings.burn.map(watch);
  }

  /** Count a call. Hot. */
  count(isFailure: boolean): void {
    this.#requests++;
    if (isFailure) this.#failures++;
  }

  /** Whether all that was counted has been taken. */
  get isTaken(): boolean {
    return this.#requests === 0;
  }

  /** What `count` has counted since the last time, or null. */
  take(): Spent | null {
    if (this.#requests === 0) return null;
    const spent = { requests: this.#requests, failures: this.#failures };
    this.#requests = 0;
    this.#failures = 0;
    return spent;
  }

  /** Enter calls that have just ended. */
  spend(spent: Spent, nowMs: number): void {
    for (const ring of this.#rings()) ring.add(spent, nowMs);
  }

  /** The first rule that speaks, or null. Below `minimumRequests` in the short time none does. */
  burning(minimumRequests: number, nowMs: number): Burning | null {
    if (this.#settings.isCountedOnly === true) return null;
    for (const { rule, long, short } of this.#watched) {
      const now = short.total(nowMs);
      if (now.requests < minimumRequests || now.failures < Math.min(FAILURES_MIN, minimumRequests)) continue;
      const shortRate = this.#rateOf(now);
      if (shortRate < rule.rate) continue;
      const over = long.total(nowMs);
      const longRate = this.#rateOf(over);
      if (longRate < rule.rate) continue;
      return { rule, rate: shortRate, reason: this.#reason(rule, over, { longRate, shortRate }, nowMs) };
    }
    return null;
  }

  /** How fast it burns over the short time of a rule that it has too; 0: it has no such rule, or hardly a failure. */
  rateOver({ longMs, shortMs }: BurnRule, nowMs: number): number {
    const same = this.#watched.find(({ rule }) => rule.longMs === longMs && rule.shortMs === shortMs);
    const spent = same?.short.total(nowMs) ?? NOTHING;
    return spent.failures < FAILURES_MIN ? 0 : this.#rateOf(spent);
  }

  /** The breaker has closed: whether it is still going on shows in what comes from now on. */
  forgive(): void {
    for (const { short } of this.#watched) short.clear();
  }

  /** Another target, period or rules: the calls stay, as far as they are known. */
  reconfigure(settings: BudgetSettings, nowMs: number): void {
    if (isSame(settings, this.#settings)) return;
    const kept = this.keep(nowMs);
    this.#settings = settings;
    this.#period = new SpanRing(settings.periodMs);
    this.#watched = settings.burn.map(watch);
    this.restore(kept, 0, nowMs);
  }

  keep(nowMs: number): KeptBudget {
    const spans = new Map<number, SpanRow[]>();
    // The short ones have forgotten what was forgiven, and are a part of the long ones.
    for (const { long } of this.#watched) spans.set(long.spanMs, long.rows(nowMs));
    spans.set(this.#period.spanMs, this.#period.rows(nowMs));
    return { spans: Array.from(spans, ([spanMs, rows]) => ({ spanMs, rows })) };
  }

  /** Enter what was kept `agoMs` ago, beside what is known. */
  restore({ spans }: KeptBudget, agoMs: number, nowMs: number): void {
    for (const ring of this.#rings()) {
      // The span that is like it, or the next longer one; of a shorter one at least what there is.
      const sorted = spans.toSorted((left, right) => left.spanMs - right.spanMs);
      const source = sorted.find(({ spanMs }) => spanMs >= ring.spanMs) ?? sorted.at(-1);
      ring.restore(source?.rows ?? [], agoMs, nowMs);
    }
  }

  view(nowMs: number): BudgetView {
    const { targetRatio, periodMs } = this.#settings;
    const spent = this.#period.total(nowMs);
    const burn = this.#watched.map(({ rule, long, short }) => ({
      ...rule,
      long: this.#rateOf(long.total(nowMs)),
      short: this.#rateOf(short.total(nowMs)),
    }));
    return { targetRatio, periodMs, ...spent, remainingRatio: 1 - this.#rateOf(spent), burn };
  }

  *#rings(): Generator<SpanRing> {
    yield this.#period;
    for (const { long, short } of this.#watched) {
      yield long;
      yield short;
    }
  }

  /** Over a whole period it is the share of the budget that is spent. */
  #rateOf({ requests, failures }: Spent): number {
    return requests === 0 ? 0 : failures / requests / (1 - this.#settings.targetRatio);
  }

  #reason(
    { rate, longMs, shortMs }: BurnRule,
    { requests, failures }: Spent,
    { longRate, shortRate }: { longRate: number; shortRate: number },
    nowMs: number,
  ): string {
    const { targetRatio, periodMs } = this.#settings;
    const { remainingRatio } = this.view(nowMs);
    const left = remainingRatio > 0 ? percent(remainingRatio) : 'nothing';
    const over = `${factor(longRate)} over ${formatSpan(longMs)} (${failures} of ${requests} calls) and ${factor(shortRate)} over ${formatSpan(shortMs)}`;
    return `error budget burns ${over} >= ${factor(rate)}; of ${percent(1 - targetRatio)} in ${formatSpan(periodMs)}, ${left} is left`;
  }
}

function watch(rule: BurnRule): Watched {
  return { rule, long: new SpanRing(rule.longMs), short: new SpanRing(rule.shortMs) };
}

function isSame(left: BudgetSettings, right: BudgetSettings): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

/** `0.05%`, `99.9%`. */
function percent(ratio: number): string {
  return `${Number((ratio * 100).toPrecision(3))}%`;
}

/** `14.4x`. */
export function factor(rate: number): string {
  return `${Number(rate.toFixed(1))}x`;
}
