/** How the way of the exposures to their sinks is doing. Empty without a spool. Only reads. */
import type { Registry } from '@prometheus-io/client';
import { type Labels, registerFamily, type Sample } from './exposition.ts';
import type { ExposureLoss } from './pipeline/loss.ts';
import type { PipelineView, SinkView } from './pipeline/pipeline.ts';

export class PipelineMetrics {
  #source: () => PipelineView | null = () => null;
  #lossSource: () => ExposureLoss | null = () => null;

  /** Where the page looks. */
  setSource(source: () => PipelineView): void {
    this.#source = source;
  }

  /** Where the page looks for what is lost. */
  setLossSource(source: () => ExposureLoss): void {
    this.#lossSource = source;
  }

  register(registry: Registry): void {
    const family = (
      name: string,
      type: 'gauge' | 'counter',
      help: string,
      read: (view: PipelineView) => Sample[],
    ) =>
      registerFamily(registry, {
        name: `fairlead_exposure_${name}`,
        type,
        help,
        aggregator: 'first',
        read: () => {
          const view = this.#source();
          return view === null ? [] : read(view);
        },
      });
    const ofLoss = (name: string, help: string, read: (loss: ExposureLoss) => number) =>
      registerFamily(registry, {
        name: `fairlead_exposure_${name}`,
        type: 'gauge',
        help,
        aggregator: 'first',
        read: () => {
          const loss = this.#lossSource();
          return loss === null ? [] : [{ labels: {}, value: read(loss) }];
        },
      });
    ofLoss(
      'loss_ratio',
      'Share of the exposures of the last hour that was lost on the way to the sink that got least.',
      ({ ratio }) => ratio,
    );
    ofLoss(
      'loss_within_limit',
      '0: more than exposures.lossLimit is lost, so conclusions are not to be trusted.',
      ({ isWithinLimit }) => (isWithinLimit ? 1 : 0),
    );
    const alone = (read: (view: PipelineView) => number) => (view: PipelineView) => [
      { labels: {}, value: read(view) },
    ];
    const bySink = (read: (sink: SinkView) => number) => (view: PipelineView) =>
      view.sinks.map((sink) => ({ labels: { sink: sink.name }, value: read(sink) }));
    family(
      'queued',
      'gauge',
      'Exposures in memory, not in the spool yet.',
      alone((view) => view.queuedEvents),
    );
    family(
      'queued_bytes',
      'gauge',
      'Memory that they take.',
      alone((view) => view.queuedBytes),
    );
    family(
      'spooled_bytes',
      'gauge',
      'Size of the spool on disk.',
      alone((view) => view.spooledBytes),
    );
    family(
      'sink_sent_total',
      'counter',
      'Exposures that a sink has acknowledged.',
      bySink(({ sent }) => sent),
    );
    family(
      'sink_failures_total',
      'counter',
      'Attempts to send exposures that came to nothing.',
      bySink(({ failures }) => failures),
    );
    family('sink_lost_total', 'counter', 'Exposures that a sink never gets, by why.', ({ sinks }) =>
      sinks.flatMap(({ name, lost }) =>
        Object.entries(lost).map(([cause, value]) => ({ labels: { sink: name, cause } as Labels, value })),
      ),
    );
    family(
      'sink_backlog_bytes',
      'gauge',
      'Spooled exposures that a sink has not acknowledged.',
      bySink(({ backlogBytes }) => backlogBytes),
    );
    family(
      'sink_oldest_unsent_seconds',
      'gauge',
      'Age of the oldest exposure that a sink has not acknowledged.',
      bySink(({ oldestAgeMs }) => oldestAgeMs / 1000),
    );
  }
}
