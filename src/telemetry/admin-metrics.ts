/** What the admin API refuses, and how the audit trail is doing. */
import type { Registry } from '@prometheus-io/client';
import { registerCounters } from './counter-family.ts';
import { registerFamily } from './exposition.ts';
import { type LabelBudget, LabelSets } from './label-sets.ts';
import { Counter } from './series.ts';

/** Why a request was refused: its token, what the role of that may do, or too many wrong ones before. */
export type RefusalCause = 'token' | 'role' | 'attempts';

export interface AuditSample {
  readonly head: { readonly id: number };
  readonly pending: number;
  readonly lost: number;
  readonly isFailing: boolean;
}

export class AdminMetrics {
  readonly #refusals: LabelSets<Counter>;
  #audit: () => AuditSample | null = () => null;

  constructor(budget: LabelBudget) {
    this.#refusals = new LabelSets(['cause'], budget, () => new Counter());
  }

  refused(cause: RefusalCause): Counter {
    return this.#refusals.get(cause);
  }

  /** Where the audit trail is looked at for each scrape. */
  setAuditSource(source: () => AuditSample): void {
    this.#audit = source;
  }

  register(registry: Registry): void {
    registerCounters(
      registry,
      this.#refusals,
      'fairlead_admin_refusals_total',
      'Requests to the admin API that were refused for their token.',
    );
    const family = (
      name: string,
      type: 'gauge' | 'counter',
      help: string,
      read: (one: AuditSample) => number,
    ) =>
      registerFamily(registry, {
        name: `fairlead_audit_${name}`,
        type,
        help,
        aggregator: 'first',
        read: () => {
          const sample = this.#audit();
          return sample === null ? [] : [{ labels: {}, value: read(sample) }];
        },
      });
    family('last_id', 'gauge', 'Number of the last audit record.', ({ head }) => head.id);
    family('pending', 'gauge', 'Audit records that wait for their file.', ({ pending }) => pending);
    family(
      'lost_total',
      'counter',
      'Audit records that are not in their file, as too many waited.',
      ({ lost }) => lost,
    );
    family('failing', 'gauge', '1: the audit file cannot be written.', ({ isFailing }) =>
      isFailing ? 1 : 0,
    );
  }
}
