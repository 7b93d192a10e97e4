/** The metrics of worker processes: empty where one process does everything. Like `families.ts`, only reads. */
import type { Registry } from '@prometheus-io/client';
import { registerFamily, type Sample } from './exposition.ts';
import type { WorkerSample } from './sources.ts';

/** Registers the families of workers. */
export function registerWorkers(registry: Registry, source: () => WorkerSample | null): void {
  const family = (
    name: string,
    type: 'gauge' | 'counter',
    help: string,
    read: (of: WorkerSample) => Sample[],
  ) =>
    registerFamily(registry, {
      name,
      type,
      help,
      aggregator: 'first',
      read: () => {
        const workers = source();
        return workers === null ? [] : read(workers);
      },
    });
  family('fairlead_workers', 'gauge', 'Worker processes that serve.', ({ serving }) => [
    { labels: {}, value: serving },
  ]);
  family(
    'fairlead_worker_restarts_total',
    'counter',
    'Workers that ended and were replaced, by what ended them.',
    ({ restarts }) => restarts.map(({ cause, count }) => ({ labels: { cause }, value: count })),
  );
  family(
    'fairlead_worker_reports_missing_total',
    'counter',
    'Scrapes that show old values of a worker, since it did not answer in time.',
    ({ reportsMissing }) => [{ labels: {}, value: reportsMissing }],
  );
}
