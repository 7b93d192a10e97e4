/** Where the rollout of an experiment stands, what it waits for, and what it may be told. */
import type { ComponentChildren } from 'preact';
import { rolloutActions, startRollout } from '../data/actions.ts';
import { config } from '../data/store.ts';
import type { Experiment, Rollout } from '../data/types.ts';
import { count, sentence, words } from '../format.ts';
import { Badge } from '../ui/badge.tsx';
import { ActionButton } from '../ui/confirm.tsx';
import { Empty, Panel } from '../ui/panel.tsx';
import { Ago } from '../ui/time.tsx';
import { toneOfRollout } from '../ui/tones.ts';

export function RolloutPanel(props: { readonly experiment: Experiment; readonly rollout: Rollout | null }) {
  const { experiment, rollout } = props;
  const declared = declaredRollout(experiment.name);
  const isIdle = rollout === null || rollout.isOver;
  const candidate = experiment.variants.find((one) => !one.isFallback)?.name ?? 'the candidate';
  const start = startRollout(experiment.name, candidate, sharesOf(declared, rollout));
  return (
    <Panel
      title="Rollout"
      aside={rollout !== null && <Badge tone={toneOfRollout(rollout.phase)}>{words(rollout.phase)}</Badge>}
    >
      {rollout !== null && <Progress rollout={rollout} />}
      {rollout === null && declared !== null && (
        <p class="sentence">Not started. {plan(sharesOf(declared, null))}</p>
      )}
      {rollout === null && declared === null && (
        <Empty>
          No <code>rollout</code> is declared for this experiment; <code>docs/rollout.md</code> shows how.
        </Empty>
      )}
      {(declared !== null || rollout !== null) && (
        <div class="actions">
          {isIdle && declared !== null && <ActionButton action={start} isMain />}
          {rollout !== null &&
            rolloutActions(rollout).map((action, index) => (
              <ActionButton
                key={action.verb}
                action={action}
                isMain={index === 0 && rollout.phase !== 'baking' && !isIdle}
              />
            ))}
        </div>
      )}
    </Panel>
  );
}

function Progress({ rollout }: { readonly rollout: Rollout }) {
  const { steps, step, phase, reason, eta, watched, share, counts, since, isOver } = rollout;
  const isBack = phase === 'rolled-back' || phase === 'rolling-back';
  return (
    <>
      <ol class={`steps ${isBack ? 'is-back' : ''}`}>
        {steps.map((one, index) => {
          const state = stateOf(index, step - 1, phase);
          return (
            <li
              key={one.share}
              class={`step is-${state}`}
              aria-current={state === 'now' ? 'step' : undefined}
            >
              <b class="number">{one.share}</b>
              <span>
                {one.bake}, {count(one.requests)} req{one.gate === 'manual' ? ', by hand' : ''}
              </span>
              <span class="visually-hidden">{STATE_WORDS[state]}</span>
            </li>
          );
        })}
      </ol>
      <p class="sentence">{sentence(reason)}</p>
      <dl class="facts is-inline">
        <Fact term="candidate has">{share}</Fact>
        {!isOver && <Fact term="watched">{watched}</Fact>}
        {!isOver && eta !== null && <Fact term="goes on in about">{eta}</Fact>}
        {!isOver && (
          <Fact term="requests">
            {count(counts.control.requests)} control, {count(counts.candidate.requests)} candidate
          </Fact>
        )}
        <Fact term="since">
          <Ago at={since} />
        </Fact>
      </dl>
      {!isOver && <Guardrails rollout={rollout} />}
    </>
  );
}

const STATE_WORDS = { done: 'done', now: 'in force', ahead: 'ahead', failed: 'taken back from here' };

function Guardrails({ rollout }: { readonly rollout: Rollout }) {
  const guardrails = rollout.steps[rollout.step - 1]?.guardrails ?? [];
  if (guardrails.length === 0) return null;
  return (
    <ul class="tags" aria-label="Guardrails of this step">
      {guardrails.map(({ name, margin, limit }) => (
        <li key={name}>
          <b>{name}</b>
          {margin !== null && ` at most ${points(margin)} pp above control`}
          {margin !== null && limit !== null && ', '}
          {limit !== null && ` at most ${points(limit)}%`}
        </li>
      ))}
    </ul>
  );
}

function Fact({ term, children }: { readonly term: string; readonly children: ComponentChildren }) {
  return (
    <div>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** `failed`: from here it was taken back. */
function stateOf(index: number, now: number, phase: string): 'done' | 'now' | 'ahead' | 'failed' {
  if (phase === 'promoted') return 'done';
  if (phase === 'rolled-back') return index === now ? 'failed' : 'ahead';
  if (index === now) return 'now';
  return index < now ? 'done' : 'ahead';
}

interface DeclaredRollout {
  /** Parts per million, or with more than that. */
  readonly steps?: readonly (number | { readonly share: number })[];
}

/** Null: none is declared, or the config has not been read yet. */
function declaredRollout(name: string): DeclaredRollout | null {
  const declared = config.data.value?.declared.experiments as
    | Readonly<Record<string, { readonly rollout?: DeclaredRollout }>>
    | undefined;
  return declared?.[name]?.rollout ?? null;
}

/** Of a rollout that was begun, or as declared; none where they are declared in another form. */
function sharesOf(declared: DeclaredRollout | null, rollout: Rollout | null): readonly string[] {
  if (rollout !== null && rollout.steps.length > 0) return rollout.steps.map((one) => one.share);
  if (!Array.isArray(declared?.steps)) return [];
  return declared.steps.map((step) => `${(typeof step === 'number' ? step : step.share) / 10_000}%`);
}

function plan(shares: readonly string[]): string {
  return shares.length === 0 ? '' : `The candidate would get ${shares.join(', ')}.`;
}

function points(value: number): string {
  return String(Number((100 * value).toPrecision(3)));
}
