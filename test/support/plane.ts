/** A data plane on free ports, made from config text, with real sockets and the real clock. */
import { readFileSync } from 'node:fs';
import type { Clock } from '../../src/base/clock.ts';
import { systemClock, systemRandom } from '../../src/base/clock.ts';
import { compile } from '../../src/config/compile.ts';
import { withKeyFiles } from '../../src/config/key-files.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { withPem } from '../../src/config/pem.ts';
import { EMPTY_RUNTIME } from '../../src/config/runtime.ts';
import type { Snapshot } from '../../src/config/snapshot.ts';
import { withTokenText } from '../../src/config/tokens.ts';
import { DataPlane } from '../../src/proxy/data-plane.ts';
import type { Transition } from '../../src/resilience/breaker.ts';
import type { AccessRecord } from '../../src/telemetry/access-log.ts';
import type { Exposure } from '../../src/telemetry/exposure.ts';
import { type Log, silentLog } from '../../src/telemetry/log.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';

export function snapshotOf(yaml: string, version = 1): Snapshot {
  const { config, issues } = parseConfig(yaml, 'test.yaml');
  if (config === null) throw new Error(`The test's config is invalid: ${JSON.stringify(issues)}`);
  const read = (file: string) => readFileSync(file, 'utf8');
  const complete = withKeyFiles(withTokenText(withPem(config, read), read), read);
  return compile(complete, EMPTY_RUNTIME, version);
}

export interface TestPlane {
  readonly plane: DataPlane;
  /** Port of the first listener. */
  readonly port: number;
  /** Port of a listener by name. */
  portOf(name: string): number;
  readonly access: AccessRecord[];
  readonly exposures: Exposure[];
  readonly transitions: Transition[];
  reload(yaml: string): void;
  close(): void;
}

export async function startPlane(
  yaml: string,
  clock: Clock = systemClock,
  log: Log = silentLog,
  tracing: DataPlane['tracing'] = null,
  recorder: DataPlane['recorder'] = null,
): Promise<TestPlane> {
  const access: AccessRecord[] = [];
  const exposures: Exposure[] = [];
  const transitions: Transition[] = [];
  const plane = new DataPlane(snapshotOf(yaml), {
    clock,
    random: systemRandom,
    metrics: new Metrics({ version: 'test', node: process.version, isProcessIncluded: false }),
    log,
    accessLog: { record: (record) => access.push(record) },
    exposures: { isDue: () => true, record: (exposure) => exposures.push(exposure) },
    tracing,
    recorder,
    onTransition: (transition) => transitions.push(transition),
  });
  await plane.start();
  const portOf = (name: string) => {
    const address = plane.listeners.find(({ settings }) => settings.name === name)!.address;
    return address.kind === 'tcp' ? address.port : 0;
  };
  let version = 1;
  return {
    plane,
    port: portOf(plane.listeners[0]!.settings.name),
    portOf,
    access,
    exposures,
    transitions,
    reload: (next) => plane.adopt(snapshotOf(next, ++version)),
    close: () => plane.stop(),
  };
}
