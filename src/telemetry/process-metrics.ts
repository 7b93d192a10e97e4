/**
 * What the client library knows of Node and the operating system, by its usual names. Taken one by one, since three of
 * its collectors are not wanted: open handles and requests, which walk over every socket at each scrape; utilisation,
 * which promtool calls badly named; and the duration of collections, whose observer costs 40 us for each of some
 * hundred collections a second under load, a hundredth of the CPU time of a request.
 */
import type { Registry } from '@prometheus-io/client';
import eventLoopLag from '@prometheus-io/client/lib/metrics/eventLoopLag.js';
import heapSizeAndUsed from '@prometheus-io/client/lib/metrics/heapSizeAndUsed.js';
import heapSpacesSizeAndUsed from '@prometheus-io/client/lib/metrics/heapSpacesSizeAndUsed.js';
import osMemoryHeap from '@prometheus-io/client/lib/metrics/osMemoryHeap.js';
import processCpuTotal from '@prometheus-io/client/lib/metrics/processCpuTotal.js';
import processMaxFileDescriptors from '@prometheus-io/client/lib/metrics/processMaxFileDescriptors.js';
import processOpenFileDescriptors from '@prometheus-io/client/lib/metrics/processOpenFileDescriptors.js';
import processStartTime from '@prometheus-io/client/lib/metrics/processStartTime.js';
import version from '@prometheus-io/client/lib/metrics/version.js';

/** How often the delay of the event loop is sampled, milliseconds. At the library's 10 it is half of what an idle sidecar costs. */
const LAG_PRECISION_MS = 50;

const COLLECTORS = [
  processCpuTotal,
  processStartTime,
  osMemoryHeap,
  processOpenFileDescriptors,
  processMaxFileDescriptors,
  eventLoopLag,
  heapSizeAndUsed,
  heapSpacesSizeAndUsed,
  version,
];

export function collectProcessMetrics(registry: Registry): void {
  for (const collect of COLLECTORS) collect(registry, { eventLoopMonitoringPrecision: LAG_PRECISION_MS });
}
