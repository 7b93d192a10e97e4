/** Beside the numbers of an experiment: whether to believe them, its breakers, what was decided, what it is. */
import type { Results } from '../../src/analysis/results/results.ts';
import { breakerActions } from '../data/actions.ts';
import { audit, breakers, statsByName, transitions } from '../data/store.ts';
import type { Experiment } from '../data/types.ts';
import { count, day, sentence, share, shareOf, words } from '../format.ts';
import { Badge } from '../ui/badge.tsx';
import { ActionButton } from '../ui/confirm.tsx';
import { Empty, Panel } from '../ui/panel.tsx';
import { SplitBar } from '../ui/split-bar.tsx';
import { Ago } from '../ui/time.tsx';
import { type Tone, toneOfBreaker } from '../ui/tones.ts';
import { Swatch } from '../ui/variant-key.tsx';
import { variantIndex } from '../ui/variants.ts';

const TRANSITIONS_SHOWN = 8;
const DECISIONS_SHOWN = 8;

export function Split({
  experiment,
  results,
}: {
  readonly experiment: Experiment;
  readonly results: Results | null;
}) {
  const { name, variants } = experiment;
  const names = variants.map((one) => one.name);
  const fallback = variants.find((one) => one.isFallback)?.name ?? null;
  const stats = statsByName.value.get(name) ?? [];
  const total = stats.reduce((sum, one) => sum + (one.requestsPerSecond ?? 0), 0);
  const parts = variants.map((variant) => {
    const summary = results?.assigned.find((one) => one.name === variant.name) ?? null;
    const own = stats.find((one) => one.name === variant.name) ?? null;
    return {
      name: variant.name,
      wanted: shareOf(variant.weight),
      seen: total > 0 ? (own?.requestsPerSecond ?? 0) / total : null,
      index: variantIndex(names, variant.name, fallback),
      units: summary?.units ?? null,
      weight: variant.weight,
      upstream: variant.upstream,
    };
  });
  return (
    <Panel title="Split" aside={<span class="muted">seen of the requests now</span>}>
      <SplitBar parts={parts} />
      <table class="grid small">
        <thead>
          <tr>
            <th scope="col">Variant</th>
            <th scope="col" class="number">
              Wanted
            </th>
            <th scope="col" class="number">
              Seen
            </th>
            <th scope="col" class="number">
              Units
            </th>
          </tr>
        </thead>
        <tbody>
          {parts.map((part) => (
            <tr key={part.name}>
              <th scope="row">
                <Swatch index={part.index} /> {part.name}
                {part.upstream !== null && <span class="row-note">{part.upstream}</span>}
              </th>
              <td class="number">{part.weight}</td>
              <td class="number">{share(part.seen)}</td>
              <td class="number">{count(part.units)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

/** What has to be so before any of the numbers means something. */
export function Trust({ results }: { readonly results: Results | null }) {
  if (results === null || results.state !== 'collecting') return null;
  const { shares, crossover, interactions } = results;
  const crossed: Tone = crossover.state === 'ok' ? 'ok' : crossover.state === 'breach' ? 'bad' : 'idle';
  return (
    <Panel title="Can it be believed?">
      <ul class="checks">
        <li>
          <Badge tone={shares.isMismatch ? 'bad' : 'ok'}>shares of units</Badge>
          <p>{shares.reason}</p>
          {shares.culprits.map(({ dimension, slice, share: seen, expectedShare }) => (
            <p key={`${dimension} ${slice}`} class="culprit">
              {dimension} <b>{slice}</b>: {share(seen)} instead of {share(expectedShare)}
            </p>
          ))}
        </li>
        <li>
          <Badge tone={crossed}>units that crossed over</Badge>
          <p>{crossover.reason}</p>
        </li>
        {interactions.map(({ other, reason, isInteracting }) => (
          <li key={other}>
            <Badge tone={isInteracting ? 'warn' : 'ok'}>beside {other}</Badge>
            <p>{reason}</p>
          </li>
        ))}
        {results.invalid.map(({ cause, reason }) => (
          <li key={cause}>
            <Badge tone="bad">{words(cause)}</Badge>
            <p>{reason}</p>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

export function BreakersPanel({ experiment }: { readonly experiment: Experiment }) {
  const names = new Set(experiment.variants.flatMap((one) => one.breakers.map((breaker) => breaker.name)));
  const own = (breakers.data.value?.breakers ?? []).filter((one) => names.has(one.name));
  const past = (transitions.data.value?.transitions ?? []).filter((one) => names.has(one.name));
  return (
    <Panel title="Breakers">
      {own.length === 0 && <Empty>None of its variants has a breaker.</Empty>}
      <ul class="checks">
        {own.map((breaker) => (
          <li key={breaker.name}>
            <div class="line">
              <Badge tone={toneOfBreaker(breaker)}>
                {breaker.mode === 'enforce' ? breaker.state : `${breaker.state}, ${words(breaker.mode)}`}
              </Badge>
              <code>{breaker.name}</code>
              {breakerActions(breaker).map((action) => (
                <ActionButton key={action.verb} action={action} />
              ))}
            </div>
            <p>{breaker.reason}</p>
            <p class="muted number">
              errors {share(breaker.errorRatio)} of {count(breaker.requests)} in the window · openings{' '}
              {count(breaker.trips)} · turned away {count(breaker.turnedAway)}
            </p>
          </li>
        ))}
      </ul>
      {past.length > 0 && (
        <>
          <h3>What they did</h3>
          <ol class="timeline">
            {past.slice(0, TRANSITIONS_SHOWN).map((one) => (
              <li
                key={`${one.at} ${one.name} ${one.to}`}
                class={`tone-edge-${toneOfBreaker({ state: one.to, mode: 'enforce' })}`}
              >
                <Ago at={one.at} /> <b>{one.to}</b> <code>{one.name}</code>
                <p>{one.reason}</p>
              </li>
            ))}
          </ol>
        </>
      )}
    </Panel>
  );
}

/** Of the audit what is about this experiment: also its breakers and its rollout. */
export function Decisions({ name }: { readonly name: string }) {
  const about = (audit.data.value?.audit ?? []).filter(
    ({ target }) => target === name || target.split('/').includes(name),
  );
  // A move of a rollout is on record as itself and as the change of weights that it is: once is enough here.
  const records = about.filter((one, index) => index === 0 || one.reason !== about[index - 1]!.reason);
  return (
    <Panel title="Decisions" aside={<a href="#/audit">all</a>}>
      {records.length === 0 && <Empty>Nothing is on record of late.</Empty>}
      <ol class="timeline">
        {records.slice(0, DECISIONS_SHOWN).map((one) => (
          <li key={`${one.id} ${one.at}`} class={`tone-edge-${one.result === 'done' ? 'info' : 'bad'}`}>
            <Ago at={one.at} /> <b>{words(one.action)}</b> by {one.actor}
            {one.result !== 'done' && <Badge tone="bad">{one.result}</Badge>}
            <p class="is-clamped" title={one.reason}>
              {sentence(one.reason)}
            </p>
          </li>
        ))}
      </ol>
    </Panel>
  );
}

export function Facts({ experiment }: { readonly experiment: Experiment }) {
  const { owner, unit, traffic, targeting, routes, salt, algorithm, epoch, successCriteria, rollbackPlan } =
    experiment;
  const facts: readonly (readonly [term: string, text: string | null])[] = [
    ['owner', owner],
    ['routes', routes.join(', ') || null],
    ['unit', unit.join(', ') || null],
    ['traffic', traffic],
    ['targeting', targeting.join('; ') || null],
    ['layer', experiment.layer?.name ?? null],
    ['holdouts', experiment.holdouts.join('; ') || null],
    ['requires', experiment.requires.join(', ') || null],
    ['algorithm', `${algorithm}, salt ${salt}, epoch ${epoch}`],
    ['starts', experiment.startsAt === null ? null : day(experiment.startsAt)],
    ['ends', experiment.endsAt === null ? null : day(experiment.endsAt)],
    ['winner', experiment.winner],
    ['success', successCriteria],
    ['way back', rollbackPlan],
  ];
  return (
    <Panel title="What it is">
      <dl class="facts">
        {facts.map(
          ([term, text]) =>
            text !== null && (
              <div key={term}>
                <dt>{term}</dt>
                <dd>{text}</dd>
              </div>
            ),
        )}
      </dl>
    </Panel>
  );
}
