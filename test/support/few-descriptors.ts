/**
 * A data plane with the configuration of its first argument, in a process of its own: `overload.test.ts` gives it few
 * file descriptors. Prints its log's sentences and its port; ends with its input.
 */
import { systemClock, systemRandom } from '../../src/base/clock.ts';
import { DataPlane } from '../../src/proxy/data-plane.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { snapshotOf } from './plane.ts';

const say = (_facts: object, sentence: string) => console.log(sentence);
const plane = new DataPlane(snapshotOf(process.argv[2]!), {
  clock: systemClock,
  random: systemRandom,
  metrics: new Metrics({ version: 'test', node: process.version, isProcessIncluded: false }),
  log: { debug() {}, info: say, warn: say, error: say },
  accessLog: null,
  exposures: null,
  onTransition() {},
});
await plane.start();
const { address } = plane.listeners[0]!;
console.log(`port ${address.kind === 'tcp' ? address.port : 0}`);
process.stdin.on('end', () => plane.stop()).resume();
