/**
 * `fairlead demo`: two versions of a small service, the sidecar in front of them from config/quickstart.yaml, traffic of
 * made-up users, and what to try. Runs until SIGINT or SIGTERM. The sidecar is the real one; only the service and its
 * users are made up. Each demo begins anew: what was changed at run time in the last one is not kept.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { systemRandom } from '../base/clock.ts';
import { parseConfig } from '../config/parse.ts';
import type { SocketAddress } from '../config/snapshot.ts';
import { type DemoService, startDemoService } from './demo-service.ts';
import { startDemoTraffic } from './demo-traffic.ts';
import { type DemoPlaces, welcome } from './demo-welcome.ts';
import { CliError, Exit, type Io } from './io.ts';
import { packageFile } from './package-root.ts';
import { type Sidecar, startSidecar } from './serve.ts';

export interface DemoOptions {
  /** Whether the made-up users come. */
  readonly traffic: boolean;
}

/** Where config/quickstart.yaml puts its log and exposures, seen from the working directory. */
const STATE_FOLDER = '.fairlead';
/** Milliseconds that an answer takes, more or less by a half: the new ranking is a little faster. */
const WORK_MS = { control: 12, candidate: 10 } as const;

/** Runs the demo; 0 when it was stopped, 78 when a port is taken. Settings of the environment win over the file. */
export async function demoCommand(options: DemoOptions, io: Io): Promise<number> {
  const configFile = packageFile('config/quickstart.yaml');
  mkdirSync(STATE_FOLDER, { recursive: true });
  const stateFolder = mkdtempSync(join(tmpdir(), 'fairlead-demo-'));
  const env = { FAIRLEAD_STATE_FILE: join(stateFolder, 'state.json'), ...io.env };
  const services: DemoService[] = [];
  try {
    const { ports, token } = declared(configFile, env);
    services.push(await startVersion('v1 (control)', ports.control, WORK_MS.control));
    services.push(await startVersion('v2 (candidate)', ports.candidate, WORK_MS.candidate));
    const stopped = untilStopped();
    const sidecar = await startWith(configFile, env);
    const places: DemoPlaces = {
      configFile: relative(process.cwd(), configFile),
      logFolder: STATE_FOLDER,
      sidecarUrl: urlOf(sidecar, 'inbound'),
      adminUrl: urlOf(sidecar, 'admin'),
      probeUrl: urlOf(sidecar, 'probes'),
      controlUrl: `http://127.0.0.1:${ports.control}`,
      candidateUrl: `http://127.0.0.1:${ports.candidate}`,
      token,
      hasTraffic: options.traffic,
    };
    const onEnd = () => io.err('the made-up users have gone; start the demo again for more\n');
    const stopTraffic = options.traffic
      ? startDemoTraffic({ ...places, random: systemRandom, onEnd })
      : () => {};
    io.out(welcome(places));
    await stopped;
    io.err('stopping: requests in flight are finished first\n');
    stopTraffic();
    await sidecar.stop();
  } finally {
    await Promise.all(services.map((service) => service.stop()));
    rmSync(stateFolder, { recursive: true, force: true });
  }
  return Exit.ok;
}

/** Where the file has the two versions, and what it takes to change something. @throws CliError (3) */
function declared(
  configFile: string,
  env: Io['env'],
): { readonly ports: Readonly<Record<'control' | 'candidate', number>>; readonly token: string } {
  const { config, issues } = parseConfig(readFileSync(configFile, 'utf8'), configFile, env);
  if (config === null) {
    const [first] = issues.filter(({ severity }) => severity === 'error');
    throw new CliError(Exit.configInvalid, `the demo cannot start: ${first?.file}: ${first?.message}`);
  }
  const portOf = (upstream: string): number => {
    const address = config.upstreams[upstream]?.endpoints[0]?.address;
    return address?.kind === 'tcp' ? address.port : 0;
  };
  return {
    ports: { control: portOf('demo-v1'), candidate: portOf('demo-v2') },
    token: config.admin.token ?? '',
  };
}

function urlOf({ addresses }: Sidecar, name: string): string {
  const address: SocketAddress | undefined = addresses[name];
  return address?.kind === 'tcp' ? `http://${address.host}:${address.port}` : '(off)';
}

async function startVersion(version: string, port: number, workMs: number): Promise<DemoService> {
  try {
    return await startDemoService({ version, port, workMs });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CliError(
      Exit.unfit,
      `the demo service ${version} could not listen on port ${port}: ${reason}; does another demo run?`,
      {
        cause,
      },
    );
  }
}

async function startWith(configFile: string, environment: Io['env']): Promise<Sidecar> {
  try {
    return await startSidecar({ configFile, environment });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CliError(Exit.unfit, `the sidecar could not start from ${configFile}: ${reason}`, { cause });
  }
}

function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    const stop = (): void => {
      process.removeListener('SIGINT', stop);
      process.removeListener('SIGTERM', stop);
      resolve();
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
  });
}
