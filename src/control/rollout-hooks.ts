/**
 * The webhooks of rollouts, by the names and with the payload of Flagger's (docs.flagger.app/usage/webhooks): a 2xx
 * agrees, anything else does not. They are asked beside the loop and never waited for by it: what is not answered yet is
 * no answer. The id of a question is the same each time it is asked, so whoever was told once knows it again.
 */
import type { RolloutHook } from '../analysis/rollout/rollout-plan.ts';
import type { RolloutDecision, RolloutPhase, RolloutState } from '../analysis/rollout/rollout-state.ts';
import type { Clock } from '../base/clock.ts';
import type { RolloutSettings } from '../config/compile-rollout.ts';
import type { Letter, Webhooks } from './webhooks.ts';

/** Between two questions of one kind. */
const ASK_MS = 5_000;

export interface RolloutHooksOptions {
  readonly webhooks: Pick<Webhooks, 'ask' | 'tellOne' | 'tell'>;
  readonly clock: Clock;
  readonly service: () => string;
  /** A test has its own. */
  readonly askMs?: number;
}

interface Asked {
  /** What was asked: another place is another question. */
  readonly question: string;
  readonly atMs: number;
  isPending: boolean;
  /** Who does not agree, and how; null: all do; undefined: no answer yet. */
  problem?: string | null;
}

export interface HookAnswers {
  readonly rollBack: string | null;
  readonly objection: string | null;
  readonly confirmed: { readonly isOk: boolean; readonly said: string } | null;
}

interface At {
  readonly state: RolloutState;
  readonly settings: RolloutSettings;
}

/** Flagger's words for where a canary stands. */
const PHASES: Readonly<Record<RolloutPhase, string>> = {
  baking: 'Progressing',
  gate: 'Waiting',
  paused: 'Waiting',
  'rolling-back': 'Progressing',
  'promotion-failed': 'WaitingPromotion',
  promoted: 'Succeeded',
  'rolled-back': 'Failed',
};

export class RolloutHooks {
  readonly #options: RolloutHooksOptions;
  /** The last question of each kind, by experiment and hook. */
  readonly #asked = new Map<string, Asked>();

  constructor(options: RolloutHooksOptions) {
    this.#options = options;
  }

  /** Asks what is due, and says what was answered so far. Returns at once. */
  look(experiment: string, at: At): HookAnswers {
    const { state } = at;
    const rollBack = this.#answer(experiment, 'rollback', at);
    const isBaking = state.phase === 'baking';
    const rollout = isBaking ? this.#answer(experiment, 'rollout', at) : undefined;
    const wanted = state.wants === null ? undefined : this.#answer(experiment, state.wants, at);
    return {
      rollBack: rollBack === null ? 'the rollback webhook wants it back' : null,
      objection: rollout == null ? null : `the rollout webhook is against it: ${rollout}`,
      confirmed: wanted === undefined ? null : { isOk: wanted === null, said: wanted ?? '' },
    };
  }

  /** `confirm-rollout` and `pre-rollout`, before anything begins: who is against it and how, or null. */
  async confirm(
    experiment: string,
    { id, settings }: { readonly id: string; readonly settings: RolloutSettings },
  ): Promise<string | null> {
    for (const hook of ['confirm-rollout', 'pre-rollout'] as const) {
      const place = { phase: 'Waiting', step: 0, sharePpm: 0 };
      const body = this.#body(experiment, hook, { ...place, digest: settings.plan.digest });
      const problem = await this.#ask(settings, hook, { id: `${id}.${hook}`, body });
      if (problem !== null) return `${hook}: ${problem}`;
    }
    return null;
  }

  /** Whoever wants to know of a move is told, and again until it is taken. */
  told(experiment: string, { state, settings, decision }: At & { readonly decision: RolloutDecision }): void {
    const { webhooks, clock, service } = this.#options;
    const isWarning = ['roll-back', 'step-down', 'promotion-failed'].includes(decision.kind);
    const metadata = {
      eventMessage: decision.reason,
      eventType: isWarning ? 'Warning' : 'Normal',
      timestamp: String(Math.floor(clock.wallMs())),
    };
    const isOver = state.phase === 'promoted' || state.phase === 'rolled-back';
    for (const hook of ['event', ...(isOver ? (['post-rollout'] as const) : [])] as const) {
      const place = { ...state, phase: PHASES[state.phase], digest: settings.plan.digest };
      const body = this.#body(experiment, hook, place, metadata);
      const letter = { id: `${state.id}.${hook}.${decision.kind}.${Math.floor(clock.wallMs())}`, body };
      for (const webhook of settings.hooks.get(hook) ?? []) webhooks.tellOne(webhook, letter);
    }
    const { kind, reason, from, to } = decision;
    const data = { service: service(), experiment, rollout: state.id, move: kind, reason, from, to };
    webhooks.tell({ event: 'rollout.moved', data });
  }

  /** Null: all agree; a sentence: who does not; undefined: there is none, or no answer yet. */
  #answer(experiment: string, hook: RolloutHook, { state, settings }: At): string | null | undefined {
    if (!settings.hooks.has(hook)) return undefined;
    const { clock, askMs = ASK_MS } = this.#options;
    const key = `${experiment}/${hook}`;
    const question = `${state.id}.${hook}.${state.step}.${Math.floor(state.startedAtMs)}`;
    const before = this.#asked.get(key);
    const isSame = before?.question === question;
    if (isSame && (before.isPending || clock.now() - before.atMs < askMs)) return before.problem;
    const asked: Asked = { question, atMs: clock.now(), isPending: true };
    if (isSame && before.problem !== undefined) asked.problem = before.problem;
    this.#asked.set(key, asked);
    const place = { ...state, phase: PHASES[state.phase], digest: settings.plan.digest };
    const letter = { id: question, body: this.#body(experiment, hook, place) };
    void this.#ask(settings, hook, letter).then((problem) => {
      asked.isPending = false;
      asked.problem = problem;
    });
    return asked.problem;
  }

  async #ask({ hooks }: RolloutSettings, hook: RolloutHook, letter: Letter): Promise<string | null> {
    for (const webhook of hooks.get(hook) ?? []) {
      const problem = await this.#options.webhooks.ask(webhook, letter);
      if (problem !== null) return `the webhook ${webhook} ${problem}`;
    }
    return null;
  }

  #body(
    experiment: string,
    type: RolloutHook,
    place: {
      readonly phase: string;
      readonly step: number;
      readonly sharePpm: number;
      readonly digest: string;
    },
    metadata: object = {},
  ): string {
    return JSON.stringify({
      name: experiment,
      namespace: this.#options.service(),
      phase: place.phase,
      checksum: place.digest,
      type,
      canaryWeight: place.sharePpm / 10_000,
      iterations: place.step + 1,
      metadata,
    });
  }
}
