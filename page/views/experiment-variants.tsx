/** What was collected of each variant: by whom it belongs to, and by which of them answered. */
import { useSignal } from '@preact/signals';
import type { Results, VariantSummary } from '../../src/analysis/results/results.ts';
import { inWords } from '../../src/analysis/wording.ts';
import { count, millis, share } from '../format.ts';
import { Panel, Scroll } from '../ui/panel.tsx';
import { Swatch } from '../ui/variant-key.tsx';
import { variantIndex } from '../ui/variants.ts';

const VIEWS = [
  { key: 'assigned', label: 'by assigned' },
  { key: 'served', label: 'by served' },
] as const;

export function Variants({ results }: { readonly results: Results | null }) {
  const view = useSignal<(typeof VIEWS)[number]['key']>('assigned');
  if (results === null || results.assigned.length === 0) return null;
  const choice = (
    <fieldset class="chips">
      <legend class="visually-hidden">Counted by</legend>
      {VIEWS.map(({ key, label }) => (
        <button key={key} type="button" aria-pressed={view.value === key} onClick={() => (view.value = key)}>
          {label}
        </button>
      ))}
    </fieldset>
  );
  return (
    <Panel title="Variants" aside={choice}>
      <Summaries variants={results[view.value]} fallback={results.fallback} />
    </Panel>
  );
}

const COLUMNS = ['Units', 'Requests', 'Errors', 'Slow', 'Mean', 'Median', 'p95', 'p99', 'Bytes'];

function Summaries({
  variants,
  fallback,
}: {
  readonly variants: readonly VariantSummary[];
  readonly fallback: string;
}) {
  const names = variants.map((one) => one.name);
  return (
    <Scroll label="Numbers of the variants">
      <table class="grid variants">
        <thead>
          <tr>
            <th scope="col">Variant</th>
            {COLUMNS.map((column) => (
              <th key={column} scope="col" class="number">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {variants.map(({ name, units, requests, errorShare, slowShare, latencyMs, bytesMean, metrics }) => (
            <tr key={name}>
              <th scope="row">
                <Swatch index={variantIndex(names, name, fallback)} /> {name}
                {metrics.map((metric) => (
                  <span key={metric.name} class="row-note number">
                    {metric.name} {metric.mean === null ? '–' : inWords(metric.mean, 'number')} (n{' '}
                    {count(metric.count)})
                  </span>
                ))}
              </th>
              <td class="number">{count(units)}</td>
              <td class="number">{count(requests)}</td>
              <td class="number">{share(errorShare)}</td>
              <td class="number">{share(slowShare)}</td>
              <td class="number">{millis(latencyMs.mean)}</td>
              <td class="number">{millis(latencyMs.p50)}</td>
              <td class="number">{millis(latencyMs.p95)}</td>
              <td class="number">{millis(latencyMs.p99)}</td>
              <td class="number">{count(bytesMean)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
