/** What the data says of each metric: the difference with its interval, and the verdict with its reason. */
import type { Comparison, MetricResult, Results } from '../../src/analysis/results/results.ts';
import { differenceInWords, intervalInWords, inWords, type MetricUnit } from '../../src/analysis/wording.ts';
import type { Resource } from '../data/resource.ts';
import { count } from '../format.ts';
import { Badge } from '../ui/badge.tsx';
import { IntervalBar } from '../ui/interval-bar.tsx';
import { Empty, Loaded, Panel, Scroll } from '../ui/panel.tsx';
import { toneOfVerdict, verdictWord } from '../ui/tones.ts';

export function Metrics({ results }: { readonly results: Resource<Results> }) {
  return (
    <Panel title="Metrics" aside={<span class="muted">intervals that may be looked at all the time</span>}>
      <Loaded resource={results} missing="This sidecar gives no results.">
        {(data) => <Found results={data} />}
      </Loaded>
    </Panel>
  );
}

function Found({ results }: { readonly results: Results }) {
  if (results.state === 'off')
    return (
      <Empty>
        This experiment is not analysed. <code>analysis: {'{}'}</code> beside its variants turns it on.
      </Empty>
    );
  if (results.comparisons.length === 0) return <Empty>Nothing was collected yet.</Empty>;
  return (
    <>
      {results.invalid.length > 0 && (
        <ul class="warnings">
          {results.invalid.map(({ cause, reason }) => (
            <li key={cause}>
              <Badge tone="bad">do not believe these numbers</Badge> {reason}
            </li>
          ))}
        </ul>
      )}
      {results.comparisons.map((comparison) => (
        <Compared key={comparison.variant} comparison={comparison} fallback={results.fallback} />
      ))}
    </>
  );
}

function Compared({ comparison, fallback }: { readonly comparison: Comparison; readonly fallback: string }) {
  const { variant, metrics } = comparison;
  return (
    <Scroll label={`Metrics of ${variant} beside ${fallback}`}>
      <table class="grid metrics">
        <caption class="visually-hidden">
          {variant} compared with {fallback}
        </caption>
        <thead>
          <tr>
            <th scope="col">Metric</th>
            <th scope="col" class="number">
              {fallback}
            </th>
            <th scope="col" class="number">
              {variant}
            </th>
            <th scope="col">Difference</th>
            <th scope="col">Verdict</th>
          </tr>
        </thead>
        <tbody>
          {metrics.map((metric) => (
            <MetricRow key={`${metric.name} ${metric.role}`} metric={metric} />
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function MetricRow({ metric }: { readonly metric: MetricResult }) {
  const { name, role, unit, better, margin, alpha, control, candidate, difference, low, high, verdict } =
    metric;
  const tone = toneOfVerdict(verdict.kind);
  return (
    <tr>
      <th scope="row">
        {name}
        <span class="row-note">
          {role}, {better} is better, by {metric.by}
        </span>
      </th>
      <td class="number">{value(control, unit)}</td>
      <td class="number">{value(candidate, unit)}</td>
      <td>
        <IntervalBar
          low={low}
          high={high}
          difference={difference}
          margin={margin}
          better={better}
          isGuardrail={role === 'guardrail'}
          tone={tone}
        />
        <span class="row-note number">
          {difference === null
            ? 'not known'
            : `${differenceInWords(difference, unit)}, ${range(low, high, unit)}`}
        </span>
      </td>
      <td>
        <Badge tone={tone}>{verdictWord(verdict.kind)}</Badge>
        <span class="row-note is-wrapped">{verdict.reason}</span>
        <span class="row-note number">
          n {count(metric.observations)} {metric.over}, wrong by chance at most {inWords(alpha, 'share')}
        </span>
      </td>
    </tr>
  );
}

function value(number: number | null, unit: MetricUnit): string {
  return number === null ? '–' : inWords(number, unit);
}

function range(low: number | null, high: number | null, unit: MetricUnit): string {
  return intervalInWords(low ?? -Infinity, high ?? Infinity, unit);
}
