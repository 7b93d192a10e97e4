/** The metrics of tunnels: connections that became something else than HTTP. Like `families.ts`, only reads. */
import type { Registry } from '@prometheus-io/client';
import { appendHistogram, registerFamily, type Sample } from './exposition.ts';
import type { LabelSets } from './label-sets.ts';
import { TUNNEL_CAUSES, type TunnelSeries } from './tunnel-series.ts';

const COUNTED = 'Counted like fairlead_requests_total.';

/** Registers the families of tunnels. */
export function registerTunnels(registry: Registry, tunnels: LabelSets<TunnelSeries>): void {
  const each = (read: (series: TunnelSeries) => number): Sample[] =>
    Array.from(tunnels.entries(), ({ labels, item }) => ({ labels, value: read(item) }));
  registerFamily(registry, {
    name: 'fairlead_tunnels_active',
    type: 'gauge',
    help: `Open tunnels, WebSockets for example. ${COUNTED}`,
    read: () => each((series) => series.active),
  });
  registerFamily(registry, {
    name: 'fairlead_tunnels_total',
    type: 'counter',
    help: `Tunnels that have ended, by what ended them. ${COUNTED}`,
    read: () => [...tunnels.entries()].flatMap(({ labels, item }) => endSamples(labels, item)),
  });
  registerFamily(registry, {
    name: 'fairlead_tunnel_duration_seconds',
    type: 'histogram',
    help: `Time from the 101 to the end of a tunnel. ${COUNTED}`,
    read: () => {
      const out: Sample[] = [];
      for (const { labels, item } of tunnels.entries()) {
        appendHistogram(out, 'fairlead_tunnel_duration_seconds', labels, item.duration);
      }
      return out;
    },
  });
  registerFamily(registry, {
    name: 'fairlead_tunnel_received_bytes_total',
    type: 'counter',
    help: `Bytes from clients that were passed on in tunnels. ${COUNTED}`,
    read: () => each((series) => series.receivedBytes),
  });
  registerFamily(registry, {
    name: 'fairlead_tunnel_sent_bytes_total',
    type: 'counter',
    help: `Bytes from upstreams that were passed on in tunnels. ${COUNTED}`,
    read: () => each((series) => series.sentBytes),
  });
}

/** `client` is shown before it happens, so that a rate over the first one is right. */
function endSamples(labels: Sample['labels'], series: TunnelSeries): Sample[] {
  const out: Sample[] = [];
  for (const [index, cause] of TUNNEL_CAUSES.entries()) {
    const value = series.ended[index] as number;
    if (value > 0 || cause === 'client') out.push({ value, labels: { cause }, sharedLabels: labels });
  }
  return out;
}
