/** The parts of the Prometheus client that `collectDefaultMetrics` is made of; its types name the whole only. */
declare module '@prometheus-io/client/lib/metrics/*.js' {
  import type { Registry } from '@prometheus-io/client';

  const collect: (registry: Registry, settings: { eventLoopMonitoringPrecision: number }) => void;
  export default collect;
}
