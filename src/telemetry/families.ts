/**
 * The list of Fairlead's own metrics: name, kind, help, and how each is read out of what was counted.
 * Base units, `_total` on counters, clean under `promtool check metrics`. Never counts anything itself.
 */
import type { Registry } from '@prometheus-io/client';
import { appendHistogram, registerFamily, type Sample } from './exposition.ts';
import type { Histogram } from './histogram.ts';
import type { LabelBudget, LabelSets } from './label-sets.ts';
import { CODE_CLASSES, type Counter, OUTCOMES, type ProcessCounters, type RequestSeries } from './series.ts';
import { type BreakerSample, breakerLabels, type EndpointSample, type ListenerSample } from './sources.ts';

/** Everything the families read. */
export interface FamilySources {
  readonly build: { readonly version: string; readonly node: string };
  readonly budget: LabelBudget;
  readonly counters: ProcessCounters;
  readonly requests: LabelSets<RequestSeries>;
  readonly overhead: LabelSets<Histogram>;
  readonly assignments: LabelSets<Counter>;
  readonly fallbacks: LabelSets<Counter>;
  readonly retries: LabelSets<Counter>;
  readonly localAnswers: LabelSets<Counter>;
  readonly reloads: LabelSets<Counter>;
  breakers(): Iterable<BreakerSample>;
  endpoints(): Iterable<EndpointSample>;
  listeners(): Iterable<ListenerSample>;
  state(): {
    readonly config: { readonly hash: string; readonly version: number } | null;
    readonly isLastReloadOk: boolean | null;
    readonly lastGoodReloadMs: number | null;
    readonly warnings: number;
    readonly restartsNeeded: number;
    readonly isReady: boolean;
  };
}

const BREAKER_STATES = { closed: 0, 'half-open': 1, open: 2 } as const;

/** These two are shown before they happen, so that a rate over the first one is right. */
const ALWAYS_SHOWN: ReadonlySet<string> = new Set(['2xx ok', '5xx failure']);

/** Registers every family of Fairlead's own. */
export function registerFamilies(registry: Registry, from: FamilySources): void {
  registerRequests(registry, from);
  registerDecisions(registry, from);
  registerConnections(registry, from);
  registerState(registry, from);
  registerSinks(registry, from.counters);
}

function registerRequests(registry: Registry, from: FamilySources): void {
  registerFamily(registry, {
    name: 'fairlead_requests_total',
    type: 'counter',
    help: 'Settled requests. variant is the one that served. A request in several experiments counts once in each; one in none has an empty experiment.',
    read: () => [...from.requests.entries()].flatMap(({ labels, item }) => requestSamples(labels, item)),
  });
  registerFamily(registry, {
    name: 'fairlead_request_duration_seconds',
    type: 'histogram',
    help: 'Time from the first byte of a request to the last byte of its response. Counted like fairlead_requests_total.',
    read: () => {
      const out: Sample[] = [];
      for (const { labels, item } of from.requests.entries()) {
        appendHistogram(out, 'fairlead_request_duration_seconds', labels, item.duration);
      }
      return out;
    },
  });
  registerFamily(registry, {
    name: 'fairlead_proxy_overhead_seconds',
    type: 'histogram',
    help: "Fairlead's own share of the time to the first byte of a response, upstream and network left out.",
    read: () => {
      const out: Sample[] = [];
      for (const { labels, item } of from.overhead.entries()) {
        appendHistogram(out, 'fairlead_proxy_overhead_seconds', labels, item);
      }
      return out;
    },
  });
  registerFamily(registry, {
    name: 'fairlead_requests_in_flight',
    type: 'gauge',
    help: 'Requests begun and not settled. Counted like fairlead_requests_total.',
    read: () => Array.from(from.requests.entries(), ({ labels, item }) => ({ labels, value: item.inFlight })),
  });
}

function requestSamples(labels: Sample['labels'], series: RequestSeries): Sample[] {
  const out: Sample[] = [];
  for (const [classIndex, codeClass] of CODE_CLASSES.entries()) {
    for (const [outcomeIndex, outcome] of OUTCOMES.entries()) {
      const value = series.requests(classIndex, outcomeIndex);
      if (value === 0 && !ALWAYS_SHOWN.has(`${codeClass} ${outcome}`)) continue;
      out.push({ value, labels: { code_class: codeClass, outcome }, sharedLabels: labels });
    }
  }
  return out;
}

function registerDecisions(registry: Registry, from: FamilySources): void {
  counterFamily(registry, from.assignments, 'fairlead_assignments_total', 'Assignments made, by reason.');
  counterFamily(
    registry,
    from.fallbacks,
    'fairlead_fallbacks_total',
    'Requests served by the fallback variant instead of the assigned one, by cause.',
  );
  counterFamily(
    registry,
    from.retries,
    'fairlead_retries_total',
    'Second tries, by the failure of the first.',
  );
  counterFamily(
    registry,
    from.localAnswers,
    'fairlead_local_answers_total',
    'Requests that Fairlead answered itself, by error code.',
  );
  registerFamily(registry, {
    name: 'fairlead_breaker_state',
    type: 'gauge',
    aggregator: 'first',
    help: 'State of each breaker: 0 closed, 1 half-open, 2 open.',
    read: () =>
      Array.from(from.breakers(), (breaker) => ({
        labels: breakerLabels(breaker.name),
        value: BREAKER_STATES[breaker.state],
      })),
  });
}

function registerConnections(registry: Registry, from: FamilySources): void {
  registerFamily(registry, {
    name: 'fairlead_upstream_connections',
    type: 'gauge',
    help: 'Open connections to each endpoint: active carry a request, idle wait in the pool.',
    read: () =>
      Array.from(from.endpoints(), ({ upstream, endpoint, active, idle }) => [
        { labels: { upstream, endpoint, state: 'active' }, value: active },
        { labels: { upstream, endpoint, state: 'idle' }, value: idle },
      ]).flat(),
  });
  registerFamily(registry, {
    name: 'fairlead_downstream_connections',
    type: 'gauge',
    help: 'Accepted connections that are open, by listener.',
    read: () =>
      Array.from(from.listeners(), ({ listener, connections }) => ({
        labels: { listener },
        value: connections,
      })),
  });
  single(registry, from.counters.connectionsRefused, {
    name: 'fairlead_downstream_connections_refused_total',
    help: 'Connections closed at once since the listener had as many as it may.',
  });
}

function registerState(registry: Registry, from: FamilySources): void {
  const gauge = (name: string, help: string, read: () => Sample[]) =>
    registerFamily(registry, { name, help, type: 'gauge', aggregator: 'first', read });
  gauge('fairlead_build_info', 'Version of Fairlead and of Node; always 1.', () => [
    { labels: { ...from.build }, value: 1 },
  ]);
  gauge('fairlead_ready', 'Whether /readyz answers 200.', () => [
    { labels: {}, value: from.state().isReady ? 1 : 0 },
  ]);
  gauge('fairlead_config_info', 'The config in force: hash of the declared config; always 1.', () => {
    const { config } = from.state();
    return config === null ? [] : [{ labels: { hash: config.hash }, value: 1 }];
  });
  gauge(
    'fairlead_config_version',
    'Version of the Snapshot in force: 1 at the start, one more with each change.',
    () => {
      const { config } = from.state();
      return config === null ? [] : [{ labels: {}, value: config.version }];
    },
  );
  gauge('fairlead_config_last_reload_successful', 'Whether the last reload succeeded.', () => {
    const { isLastReloadOk } = from.state();
    return isLastReloadOk === null ? [] : [{ labels: {}, value: isLastReloadOk ? 1 : 0 }];
  });
  gauge('fairlead_config_last_reload_success_timestamp_seconds', 'When a reload last succeeded.', () => {
    const { lastGoodReloadMs } = from.state();
    return lastGoodReloadMs === null ? [] : [{ labels: {}, value: lastGoodReloadMs / 1000 }];
  });
  gauge('fairlead_config_warnings', 'Warnings about the config in force.', () => [
    { labels: {}, value: from.state().warnings },
  ]);
  gauge(
    'fairlead_config_restart_needed',
    'Parts of the config that have changed and wait for a restart.',
    () => [{ labels: {}, value: from.state().restartsNeeded }],
  );
  counterFamily(registry, from.reloads, 'fairlead_config_reloads_total', 'Reloads of the config, by result.');
  registerFamily(registry, {
    name: 'fairlead_series_overflow_total',
    type: 'counter',
    help: 'Look-ups of a new label set that were given the _overflow series, since the cap is reached.',
    read: () => [{ labels: {}, value: from.budget.overflows }],
  });
}

function registerSinks(registry: Registry, counters: ProcessCounters): void {
  single(registry, counters.exposuresWritten, {
    name: 'fairlead_exposures_total',
    help: 'Exposures accepted for writing.',
  });
  single(registry, counters.exposuresDeduplicated, {
    name: 'fairlead_exposures_deduplicated_total',
    help: 'Exposures left out since the same unit was exposed to the same variant a short time before.',
  });
  single(registry, counters.exposuresDropped, {
    name: 'fairlead_exposures_dropped_total',
    help: 'Exposures lost since the sink could not take them.',
  });
  single(registry, counters.decisionsWritten, {
    name: 'fairlead_decisions_recorded_total',
    help: 'Lines of the decision log accepted for writing.',
  });
  single(registry, counters.decisionsDropped, {
    name: 'fairlead_decisions_dropped_total',
    help: 'Lines of the decision log lost since the sink could not take them.',
  });
  single(registry, counters.accessLogLines, {
    name: 'fairlead_access_log_lines_total',
    help: 'Access log lines accepted for writing.',
  });
  single(registry, counters.accessLogDropped, {
    name: 'fairlead_access_log_dropped_total',
    help: 'Access log lines lost since the sink could not take them.',
  });
  single(registry, counters.spansSent, {
    name: 'fairlead_spans_sent_total',
    help: 'Spans that were taken by where they are sent to.',
  });
  single(registry, counters.spansDropped, {
    name: 'fairlead_spans_dropped_total',
    help: 'Spans lost since they could not be sent.',
  });
  single(registry, counters.logDropped, {
    name: 'fairlead_log_dropped_total',
    help: 'Lines of the service log lost since stderr could not take them.',
  });
}

function counterFamily(registry: Registry, sets: LabelSets<Counter>, name: string, help: string): void {
  registerFamily(registry, {
    name,
    help,
    type: 'counter',
    read: () => Array.from(sets.entries(), ({ labels, item }) => ({ labels, value: item.value })),
  });
}

function single(registry: Registry, counter: Counter, named: { name: string; help: string }): void {
  registerFamily(registry, { ...named, type: 'counter', read: () => [{ labels: {}, value: counter.value }] });
}
