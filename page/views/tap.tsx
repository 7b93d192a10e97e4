/** Requests as they pass, a sample of them: by filters, while somebody looks. */
import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { useResource } from '../data/resource.ts';
import { experimentByName, experiments, stats } from '../data/store.ts';
import { Stream } from '../data/stream.ts';
import type { TapRecord } from '../data/types.ts';
import { count, millis, time, words } from '../format.ts';
import { Badge } from '../ui/badge.tsx';
import { Empty, Scroll } from '../ui/panel.tsx';
import type { Tone } from '../ui/tones.ts';
import { Swatch } from '../ui/variant-key.tsx';
import { variantIndex } from '../ui/variants.ts';

const ROWS_MAX = 200;
const EXPERIMENTS_MS = 30_000;
/** Rows are drawn together, so that a hundred requests a second do not draw a hundred times. */
const DRAW_MS = 200;

interface Filters {
  readonly experiment: string;
  readonly variant: string;
  readonly route: string;
  readonly outcome: string;
  readonly status: string;
  readonly rate: string;
}

interface Shown extends TapRecord {
  readonly key: number;
}

const NO_FILTERS: Filters = { experiment: '', variant: '', route: '', outcome: '', status: '', rate: '10' };

export function TapPage() {
  useResource(experiments, EXPERIMENTS_MS);
  const filters = useSignal<Filters | null>(null);
  return (
    <>
      <h1>Live tap</h1>
      <p class="lead">A sample of the requests as they are done: no ids, no paths, no values of fields.</p>
      <Form
        isOpen={filters.value !== null}
        onStart={(chosen) => (filters.value = chosen)}
        onStop={() => (filters.value = null)}
      />
      {filters.value === null ? <Empty>Nothing is tapped.</Empty> : <Tapped filters={filters.value} />}
    </>
  );
}

function Form(props: {
  readonly isOpen: boolean;
  readonly onStart: (filters: Filters) => void;
  readonly onStop: () => void;
}) {
  const known = experiments.data.value?.experiments ?? [];
  const chosen = useSignal('');
  const variants = known.find((one) => one.name === chosen.value)?.variants ?? [];
  const routes = stats.value?.routes ?? [];
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(event.currentTarget as HTMLFormElement));
    props.onStart({ ...NO_FILTERS, ...(values as Partial<Filters>) });
  };
  return (
    <form class="tools" onSubmit={submit}>
      <label class="field is-small">
        <span>Experiment</span>
        <select name="experiment" onChange={(event) => (chosen.value = event.currentTarget.value)}>
          <option value="">any</option>
          {known.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <label class="field is-small">
        <span>Variant</span>
        <select name="variant" disabled={chosen.value === ''}>
          <option value="">any</option>
          {variants.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <label class="field is-small">
        <span>Route</span>
        <select name="route">
          <option value="">any</option>
          {routes.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <label class="field is-small">
        <span>Outcome</span>
        <select name="outcome">
          <option value="">any</option>
          <option>ok</option>
          <option>failure</option>
          <option>slow</option>
          <option>ignored</option>
        </select>
      </label>
      <label class="field is-small">
        <span>Status</span>
        <input name="status" placeholder="5xx" size={5} pattern="[1-5](xx|[0-9]{2})" title="503, or 5xx" />
      </label>
      <label class="field is-small">
        <span>At most a second</span>
        <input name="rate" type="number" min="1" max="100" defaultValue="10" />
      </label>
      <button type="submit" class="button is-main">
        {props.isOpen ? 'Tap anew' : 'Tap'}
      </button>
      {props.isOpen && (
        <button type="button" class="button" onClick={props.onStop}>
          Stop
        </button>
      )}
    </form>
  );
}

function Tapped({ filters }: { readonly filters: Filters }) {
  const rows = useSignal<readonly Shown[]>([]);
  const dropped = useSignal(0);
  const stream = useMemo(() => {
    let waiting: Shown[] = [];
    let key = 0;
    return new Stream(`/v1/tap?${queryOf(filters)}`, ({ name, data }) => {
      if (name === 'dropped') dropped.value += (JSON.parse(data) as { count: number }).count;
      if (name !== 'request') return;
      waiting.unshift({ ...(JSON.parse(data) as TapRecord), key: key++ });
      if (waiting.length > 1) return;
      setTimeout(() => {
        rows.value = [...waiting, ...rows.value].slice(0, ROWS_MAX);
        waiting = [];
      }, DRAW_MS);
    });
  }, [filters]);
  useEffect(() => {
    rows.value = [];
    dropped.value = 0;
    stream.open();
    return () => stream.close();
  }, [stream]);
  const { state, problem } = stream;
  return (
    <>
      <p class="totals" role="status">
        {state.value === 'open' && `Tapping: ${count(rows.value.length)} shown`}
        {state.value === 'open' && dropped.value > 0 && `, ${count(dropped.value)} more were not shown`}
        {state.value === 'opening' && 'Connecting…'}
        {state.value === 'missing' && 'This sidecar has no tap.'}
        {(state.value === 'waiting' || state.value === 'refused') &&
          (problem.value?.message ?? 'The connection was lost; it is tried again.')}
      </p>
      {rows.value.length === 0 ? <Empty>No request yet that fits.</Empty> : <Rows rows={rows.value} />}
    </>
  );
}

function Rows({ rows }: { readonly rows: readonly Shown[] }) {
  const today = new Date();
  return (
    <Scroll label="Requests">
      <table class="grid tap">
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Request</th>
            <th scope="col" class="number">
              Status
            </th>
            <th scope="col">Outcome</th>
            <th scope="col" class="number">
              Took
            </th>
            <th scope="col" class="number">
              Upstream took
            </th>
            <th scope="col">Upstream</th>
            <th scope="col">Experiments</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.key}>
              <td class="number">{time(row.at, today)}</td>
              <th scope="row">
                {row.method} {row.route ?? '–'}
              </th>
              <td class="number">{row.status ?? '–'}</td>
              <td>
                <Badge tone={toneOf(row.outcome)}>{row.outcome}</Badge>
                {row.code !== null && <code>{row.code}</code>}
                {row.retries > 0 && <span class="muted"> {row.retries} retried</span>}
              </td>
              <td class="number">{millis(row.durationMs)}</td>
              <td class="number">{millis(row.upstreamMs)}</td>
              <td>{row.upstream ?? '–'}</td>
              <td>
                {row.experiments.map(({ name, assigned, served, reason }) => (
                  <span key={name} class="tag">
                    {name} <Swatch index={indexOf(name, served ?? assigned)} />{' '}
                    <b>{served ?? assigned ?? '–'}</b>
                    {served !== null && assigned !== null && served !== assigned && ` (assigned ${assigned})`}{' '}
                    <span class="muted">{words(reason)}</span>
                  </span>
                ))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

/** The colour of a variant on the page of its experiment. */
function indexOf(experiment: string, variant: string | null): number {
  const variants = experimentByName.value.get(experiment)?.variants ?? [];
  const fallback = variants.find((one) => one.isFallback)?.name ?? null;
  return variantIndex(
    variants.map((one) => one.name),
    variant ?? '',
    fallback,
  );
}

function queryOf(filters: Filters): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(filters)) if (value !== '') query.set(name, String(value));
  return query.toString();
}

function toneOf(outcome: string): Tone {
  if (outcome === 'ok') return 'ok';
  return outcome === 'failure' ? 'bad' : outcome === 'slow' ? 'warn' : 'idle';
}
