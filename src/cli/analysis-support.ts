/** What collects for the analysis, connected: to the rules, the metrics and whoever carries the traffic. */
import { type Clock, systemRandom } from '../base/clock.ts';
import { Analysis } from '../control/analysis.ts';
import type { ControlState } from '../control/state.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export interface AnalysisContext {
  readonly control: Pick<ControlState, 'snapshot' | 'subscribe'>;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** Before the traffic: it hears of new rules first, so that nothing comes of rules that it does not know. */
export function openAnalysis({ control, clock, metrics }: AnalysisContext): Analysis {
  const analysis = new Analysis({
    clock,
    random: systemRandom,
    onPosted: (experiment, result) => {
      metrics.analysis.events(experiment, result).value++;
    },
  });
  analysis.adopt(control.snapshot);
  control.subscribe((next) => analysis.adopt(next));
  metrics.analysis.setSource(() => analysis.samples());
  return analysis;
}
