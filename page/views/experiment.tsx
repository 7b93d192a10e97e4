/** One experiment: what is said of it, what it does now, and what may be done about it. */
import { useMemo } from 'preact/hooks';
import type { Results } from '../../src/analysis/results/results.ts';
import { experimentActions } from '../data/actions.ts';
import { Resource, useResource } from '../data/resource.ts';
import {
  audit,
  breakers,
  config,
  experimentByName,
  experiments,
  rolloutByName,
  rollouts,
  transitions,
} from '../data/store.ts';
import type { Experiment } from '../data/types.ts';
import { sentence } from '../format.ts';
import { Badge } from '../ui/badge.tsx';
import { ActionButton } from '../ui/confirm.tsx';
import { Empty, Loaded } from '../ui/panel.tsx';
import { toneOfStatus, toneOfVerdict, verdictWord } from '../ui/tones.ts';
import { Charts } from './experiment-charts.tsx';
import { Diffs } from './experiment-diffs.tsx';
import { Metrics } from './experiment-metrics.tsx';
import { RolloutPanel } from './experiment-rollout.tsx';
import { BreakersPanel, Decisions, Facts, Split, Trust } from './experiment-side.tsx';
import { Variants } from './experiment-variants.tsx';

const RESULTS_MS = 5000;
const STATE_MS = 5000;

export function ExperimentPage({ name }: { readonly name: string }) {
  useResource(experiments, STATE_MS);
  useResource(rollouts, STATE_MS);
  useResource(breakers, STATE_MS);
  useResource(transitions, 3 * STATE_MS);
  useResource(audit, 3 * STATE_MS);
  useResource(config, 6 * STATE_MS);
  const path = `/v1/experiments/${encodeURIComponent(name)}`;
  const results = useResource(
    useMemo(() => new Resource<Results>(`${path}/results`), [path]),
    RESULTS_MS,
  );
  const experiment = experimentByName.value.get(name);
  return (
    <>
      <nav class="crumbs" aria-label="Where this is">
        <a href="#/">Experiments</a> <span aria-hidden="true">/</span>
      </nav>
      <Loaded resource={experiments} missing="This sidecar has no experiments.">
        {() =>
          experiment === undefined ? (
            <>
              <h1>{name}</h1>
              <Empty>There is no experiment of this name.</Empty>
            </>
          ) : (
            <Shown experiment={experiment} results={results} path={path} />
          )
        }
      </Loaded>
    </>
  );
}

function Shown(props: {
  readonly experiment: Experiment;
  readonly results: Resource<Results>;
  readonly path: string;
}) {
  const { experiment, results, path } = props;
  const { name, status, condition, hypothesis } = experiment;
  const found = results.data.value;
  return (
    <>
      <header class="page-head">
        <div>
          <h1>
            {name} <Badge tone={toneOfStatus(status, condition)}>{condition ?? status}</Badge>
          </h1>
          {hypothesis !== null && <p class="hypothesis">{hypothesis}</p>}
        </div>
        <div class="actions">
          {experimentActions(experiment).map((action) => (
            <ActionButton key={action.verb} action={action} />
          ))}
        </div>
      </header>
      <Verdict results={results} />
      <div class="columns">
        <div class="column-main">
          <RolloutPanel experiment={experiment} rollout={rolloutByName.value.get(name) ?? null} />
          <Charts experiment={experiment} path={path} />
          <Metrics results={results} />
          <Variants results={found} />
          <Diffs path={path} />
        </div>
        <div class="column-side">
          <Split experiment={experiment} results={found} />
          <Trust results={found} />
          <BreakersPanel experiment={experiment} />
          <Decisions name={name} />
          <Facts experiment={experiment} />
        </div>
      </div>
    </>
  );
}

function Verdict({ results }: { readonly results: Resource<Results> }) {
  const data = results.data.value;
  if (data === null) return null;
  const { kind, reason } = data.verdict;
  return (
    <p class={`verdict tone-edge-${toneOfVerdict(kind)}`}>
      <Badge tone={toneOfVerdict(kind)}>{verdictWord(kind)}</Badge> <span>{sentence(reason)}</span>
    </p>
  );
}
