/** All experiments, those that need somebody first. */
import { useComputed, useSignal } from '@preact/signals';
import { useResource } from '../data/resource.ts';
import {
  experiments,
  recentTraffic,
  rolloutByName,
  rollouts,
  statsByName,
  verdictByName,
  verdicts,
} from '../data/store.ts';
import { count, rate } from '../format.ts';
import { Empty, Loaded } from '../ui/panel.tsx';
import { ExperimentRow } from './overview-row.tsx';
import { type Row, rowOf, SORTS, type SortKey, sortRows } from './overview-rows.ts';

const EXPERIMENTS_MS = 5000;
/** Verdicts change slowly, and to reckon those of hundreds of experiments is work. */
const RESULTS_MS = 30_000;

const FILTERS = [
  { key: 'all', label: 'All', has: () => true },
  {
    key: 'attention',
    label: 'Need attention',
    has: (row: Row) => row.health === 'bad' || row.health === 'warn',
  },
  { key: 'running', label: 'Running', has: (row: Row) => row.experiment.status === 'running' },
  { key: 'rollout', label: 'Rolling out', has: (row: Row) => row.rollout !== null && !row.rollout.isOver },
] as const;

export function Overview() {
  useResource(experiments, EXPERIMENTS_MS);
  useResource(rollouts, EXPERIMENTS_MS);
  useResource(verdicts, RESULTS_MS);
  return (
    <>
      <h1>Experiments</h1>
      <Loaded resource={experiments} missing="This sidecar has no experiments.">
        {(data) =>
          data.experiments.length === 0 ? (
            <Empty>
              No experiment is in the config. <code>docs/configuration.md</code> shows how to write one.
            </Empty>
          ) : (
            <Experiments />
          )
        }
      </Loaded>
    </>
  );
}

function Experiments() {
  const search = useSignal('');
  const filter = useSignal<(typeof FILTERS)[number]['key']>('all');
  const sort = useSignal<{ readonly key: SortKey; readonly isDown: boolean }>({
    key: 'health',
    isDown: false,
  });
  const rows = useComputed(() =>
    (experiments.data.value?.experiments ?? []).map((experiment) =>
      rowOf(experiment, {
        stats: statsByName.value.get(experiment.name) ?? null,
        rollout: rolloutByName.value.get(experiment.name) ?? null,
        verdict: verdictByName.value.get(experiment.name) ?? null,
      }),
    ),
  );
  const shown = useComputed(() => {
    const { has } = FILTERS.find((one) => one.key === filter.value)!;
    const text = search.value.trim().toLowerCase();
    return sortRows(
      rows.value.filter((row) => has(row) && row.text.includes(text)),
      sort.value,
    );
  });
  // Drawn anew with each reading of the counters.
  recentTraffic.version.value;
  const total = rows.value.reduce((sum, row) => sum + (row.perSecond ?? 0), 0);
  return (
    <>
      <div class="tools">
        <label class="search">
          <span class="visually-hidden">Search by name, owner, route or upstream</span>
          <input
            type="search"
            placeholder="Search by name, owner, route or upstream"
            value={search.value}
            onInput={(event) => (search.value = event.currentTarget.value)}
          />
        </label>
        <fieldset class="chips">
          <legend class="visually-hidden">Which experiments</legend>
          {FILTERS.map(({ key, label, has }) => (
            <button
              key={key}
              type="button"
              aria-pressed={filter.value === key}
              onClick={() => (filter.value = key)}
            >
              {label} <span class="number">{count(rows.value.filter(has).length)}</span>
            </button>
          ))}
        </fieldset>
        <p class="totals">
          {rate(total)} in {count(rows.value.length)} {rows.value.length === 1 ? 'experiment' : 'experiments'}
        </p>
      </div>
      <table class="grid overview">
        <caption class="visually-hidden">Experiments with their split, traffic and state</caption>
        <thead>
          <tr>
            {SORTS.map(({ key, label, isNumber }) => (
              <th
                key={key}
                scope="col"
                class={isNumber ? 'number' : ''}
                aria-sort={
                  sort.value.key === key ? (sort.value.isDown ? 'descending' : 'ascending') : undefined
                }
              >
                <button
                  type="button"
                  onClick={() => {
                    const isSame = sort.value.key === key;
                    sort.value = { key, isDown: isSame ? !sort.value.isDown : isNumber };
                  }}
                >
                  {label}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.value.map((row) => (
            <ExperimentRow key={row.experiment.name} row={row} />
          ))}
        </tbody>
      </table>
      {shown.value.length === 0 && <Empty>No experiment fits.</Empty>}
    </>
  );
}
