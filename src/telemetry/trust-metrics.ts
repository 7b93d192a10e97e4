/** The numbers of trust: what came in from peers that are not believed, what became of tokens, what was kept in. */
import type { Registry } from '@prometheus-io/client';
import { registerCounters } from './counter-family.ts';
import { type LabelBudget, LabelSets } from './label-sets.ts';
import { Counter } from './series.ts';

export class TrustMetrics {
  readonly #untrusted: LabelSets<Counter>;
  readonly #tokens: LabelSets<Counter>;
  readonly #signed: LabelSets<Counter>;
  readonly #egress: LabelSets<Counter>;

  constructor(budget: LabelBudget) {
    const counter = (...names: string[]) => new LabelSets(names, budget, () => new Counter());
    this.#untrusted = counter('listener', 'what');
    this.#tokens = counter('listener', 'purpose', 'result');
    this.#signed = counter('listener', 'result');
    this.#egress = counter('listener');
  }

  /** Requests with something that their peer may not send; `what` is from a fixed list. */
  untrusted(listener: string, what: string): Counter {
    return this.#untrusted.get(listener, what);
  }

  /** Tokens that came in; `result` is `accepted` or why not, from a fixed list. */
  tokens(listener: string, purpose: string, result: string): Counter {
    return this.#tokens.get(listener, purpose, result);
  }

  /** Requests sent on with a token of ours (`signed`), or without since it would be too large (`too-large`). */
  signed(listener: string, result: string): Counter {
    return this.#signed.get(listener, result);
  }

  /** Requests to hosts that are not internal, whose context was kept in. */
  egress(listener: string): Counter {
    return this.#egress.get(listener);
  }

  /** Purposes and results that there have been. */
  tokensSeen(): { readonly purpose: string; readonly result: string }[] {
    return [...this.#tokens.entries()]
      .filter(({ item }) => item.value > 0)
      .map(({ labels }) => ({ purpose: String(labels.purpose), result: String(labels.result) }));
  }

  register(registry: Registry): void {
    registerCounters(
      registry,
      this.#untrusted,
      'fairlead_context_untrusted_total',
      'Requests with experiment context or overrides that their peer may not send, by what it was. It was ignored and stripped.',
    );
    registerCounters(
      registry,
      this.#tokens,
      'fairlead_signed_tokens_total',
      'Tokens of requests, by purpose and by what became of them.',
    );
    registerCounters(
      registry,
      this.#signed,
      'fairlead_context_signed_total',
      'Requests sent on with a signed context, or without one since it would be too large.',
    );
    registerCounters(
      registry,
      this.#egress,
      'fairlead_egress_stripped_total',
      'Requests to hosts that are not internal, sent on without anything of ours.',
    );
  }
}
