/** What collects for the analysis, connected: to the rules, the metrics, its file and whoever carries the traffic. */
import { inWords } from '../analysis/wording.ts';
import { type Clock, systemRandom } from '../base/clock.ts';
import { Analysis } from '../control/analysis.ts';
import { AnalysisWriter, analysisFile, readAnalysis } from '../control/analysis-file.ts';
import type { ControlState } from '../control/state.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { ExposureLoss } from '../telemetry/pipeline/loss.ts';

export interface AnalysisContext {
  readonly control: Pick<ControlState, 'snapshot' | 'subscribe'>;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
}

export interface OpenedAnalysis {
  readonly analysis: Analysis;
  /** Keeps what there is. When nothing more is collected. */
  close(): Promise<void>;
}

/** Before the traffic: it hears of new rules first, so that nothing comes of rules that it does not know. */
export async function openAnalysis({
  control,
  clock,
  metrics,
  log,
}: AnalysisContext): Promise<OpenedAnalysis> {
  const { stateFile } = control.snapshot;
  const file = stateFile === null ? null : analysisFile(stateFile);
  const analysis = new Analysis({
    ...{ clock, random: systemRandom, log },
    kept: file === null ? null : await readAnalysis(file, log),
    onPosted: (experiment, result) => {
      metrics.analysis.events(experiment, result).value++;
    },
  });
  analysis.adopt(control.snapshot);
  control.subscribe((next) => analysis.adopt(next));
  metrics.analysis.setSource(() => analysis.samples());
  const writer =
    file === null
      ? null
      : new AnalysisWriter({
          ...{ file, log, key: analysis.key },
          forms: () => analysis.forms(),
          changes: () => analysis.changes,
        });
  return { analysis, close: async () => writer?.close() };
}

/** Why nothing is to be believed when too many exposures are lost: who analyses them elsewhere would come to something else. */
export function lossDoubts(loss: ExposureLoss | null): readonly string[] {
  if (loss === null || loss.isWithinLimit) return [];
  const [lost, most] = [loss.ratio, loss.limit].map((share) => inWords(share, 'share'));
  return [`${lost} of the exposures of the last hour were lost, limit ${most}`];
}
