/** How an experiment went over time, by the variant that served. */
import { useMemo } from 'preact/hooks';
import { Resource, useResource } from '../data/resource.ts';
import type { Experiment, History, HistoryNumbers } from '../data/types.ts';
import { millis, rate, share } from '../format.ts';
import { Chart, type Line } from '../ui/chart.tsx';
import { Empty, Loaded, Panel } from '../ui/panel.tsx';
import { variantIndex } from '../ui/variants.ts';

/** As often as there is another point. */
const HISTORY_MS = 5000;

export function Charts({ experiment, path }: { readonly experiment: Experiment; readonly path: string }) {
  const history = useResource(
    useMemo(() => new Resource<History>(`${path}/history`), [path]),
    HISTORY_MS,
  );
  return (
    <Panel title="Over time" aside={<span class="muted">by the variant that served</span>}>
      <Loaded resource={history} missing="This sidecar keeps no history.">
        {(data) =>
          data.points.length < 2 ? (
            <Empty>
              Nothing was collected yet. An experiment with <code>analysis: {'{}'}</code> in the config is
              collected every {Math.round(data.intervalMs / 1000)} s.
            </Empty>
          ) : (
            <Lines history={data} experiment={experiment} />
          )
        }
      </Loaded>
    </Panel>
  );
}

function Lines({ history, experiment }: { readonly history: History; readonly experiment: Experiment }) {
  const fallback = experiment.variants.find((one) => one.isFallback)?.name ?? null;
  const charts = useMemo(() => {
    const seconds = history.intervalMs / 1000;
    const times = history.points.map((point) => new Date(point.at).getTime() / 1000);
    const lines = (of: (one: HistoryNumbers) => number | null): Line[] =>
      history.variants.map((name, at) => ({
        name,
        index: variantIndex(history.variants, name, fallback),
        values: history.points.map((point) => {
          const numbers = point.variants[at];
          return numbers === undefined ? null : of(numbers);
        }),
      }));
    return {
      times,
      traffic: lines((one) => one.requests / seconds),
      errors: lines((one) => (one.requests === 0 ? null : one.failures / one.requests)),
      p50: lines((one) => one.p50),
      p99: lines((one) => one.p99),
    };
  }, [history, fallback]);
  const { times } = charts;
  const group = experiment.name;
  return (
    <div class="charts">
      <Chart title="Requests" times={times} lines={charts.traffic} format={rate} reach={1} group={group} />
      <Chart title="Errors" times={times} lines={charts.errors} format={share} reach={0.01} group={group} />
      <Chart
        title="Latency, median"
        times={times}
        lines={charts.p50}
        format={millis}
        reach={1}
        group={group}
      />
      <Chart title="Latency, p99" times={times} lines={charts.p99} format={millis} reach={1} group={group} />
    </div>
  );
}
