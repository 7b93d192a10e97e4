/** An analysis with processes that take requests down for it, without sockets. */
import type { Collected } from '../../src/analysis/collection/collected.ts';
import { AGENTS } from '../../src/analysis/collection/delta.ts';
import { systemRandom } from '../../src/base/clock.ts';
import type { Snapshot } from '../../src/config/snapshot.ts';
import { Analysis } from '../../src/control/analysis.ts';
import { Recorder, type Settled } from '../../src/telemetry/collection/recorder.ts';
import { silentLog } from '../../src/telemetry/log.ts';
import { Counter } from '../../src/telemetry/series.ts';
import { snapshotOf, withExperiment } from './config.ts';

const METRICS = `analysis: { metrics: [errors, latency, { name: cost, header: x-cost, better: lower }, { name: share, header: x-share, better: higher, unit: share, per: unit }, { name: sold, event: true, better: higher, per: request }] }`;
export const NOW = 1_700_000_000_000;
const OK = 0;
export const FAILURE = 1;
export const IGNORED = 3;

export function experimentWith(weight = '50%', ...more: string[]): Snapshot {
  const variants = `variants: { control: {}, candidate: { weight: ${weight} } }`;
  return snapshotOf(withExperiment(METRICS, variants, ...more));
}

/** An analysis with as many recorders as there are processes. */
export function newBench(processes = 1, snapshot = experimentWith(), experiment = 'ranking') {
  let nowMs = NOW;
  const analysis = new Analysis({ clock: { wallMs: () => nowMs }, random: systemRandom, log: silentLog });
  analysis.adopt(snapshot);
  const dropped = new Counter();
  let isTaken = true;
  const recorders = Array.from(
    { length: processes },
    (_, index) =>
      new Recorder({
        key: analysis.key,
        take: (delta) => isTaken && analysis.take(delta, `worker ${index + 1}`),
        dropped,
        malformed: new Counter(),
      }),
  );
  const collectorsFor = ({ analyses, experiments }: Snapshot) => {
    const { digest, measures } = analyses.get(experiment)!;
    const { epoch, variants } = experiments.get(experiment)!;
    const shares = variants.map(({ weightPpm }) => weightPpm);
    const subject = { experiment, route: 'api', digest, epoch, shares, measures };
    return recorders.map((recorder) => recorder.collector(subject));
  };
  return {
    ...{ analysis, recorders, dropped, collectorsFor },
    collectors: collectorsFor(snapshot),
    advance: (ms: number) => {
      nowMs += ms;
    },
    refuse: (isRefused: boolean) => {
      isTaken = !isRefused;
    },
    collected: (): Collected => {
      for (const recorder of recorders) recorder.flush();
      return analysis.collected(experiment)!;
    },
  };
}

export function settled(unit: string | null, assigned: number, more: Partial<Settled> = {}): Settled {
  return {
    ...{ assigned, served: assigned, outcome: OK, reason: 0, agent: AGENTS.indexOf('library') },
    ...{ listener: 'inbound', unit, latencyMs: 10, servedMs: 10, bytes: 100, values: null },
    ...more,
  };
}

export const valuesOf = (cost: number, share: number) => Float64Array.from([cost, share, Number.NaN]);

/** Everything that is counted, as plain numbers; means to nine digits. */
export function countsOf({ strata }: Collected): unknown {
  const rounded = (value: number) => Number(value.toPrecision(9));
  return strata.map(({ assigned, served, units }) => ({
    arms: [...assigned, ...served].map((arm) => ({
      counts: [arm.requests, arm.failures, arm.slow, arm.ignored, arm.latency.count],
      latency: rounded(arm.latency.mean),
      p50: arm.latencies.quantile(0.5),
      cost: [arm.metrics.get('cost')!.moments.count, rounded(arm.metrics.get('cost')!.moments.mean)],
    })),
    units: units.arms.map((arm) => [
      arm.units,
      arm.distinct,
      ...['errors', 'latency', 'cost'].map((name) => arm.sums.get(name)!.toJSON()),
    ]),
  }));
}
