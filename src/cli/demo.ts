/**
 * `fairlead demo`: two versions of a small service, the sidecar in front of them from config/quickstart.yaml,
 * and what to try. Runs until SIGINT or SIGTERM. The sidecar is the real one; only the service is made up.
 */
import { mkdirSync } from 'node:fs';
import { relative } from 'node:path';
import { type DemoService, startDemoService } from './demo-service.ts';
import { CliError, Exit, type Io } from './io.ts';
import { packageFile } from './package-root.ts';
import { type Sidecar, startSidecar } from './serve.ts';

/** As in config/quickstart.yaml. */
const CONTROL_PORT = 9001;
const CANDIDATE_PORT = 9002;
const SIDECAR_URL = 'http://127.0.0.1:15106';
const ADMIN_URL = 'http://127.0.0.1:15100';
const PROBE_URL = 'http://127.0.0.1:15120';
/** Where config/quickstart.yaml puts its log, exposures and state, seen from the working directory. */
const STATE_FOLDER = '.fairlead';

/** Runs the demo; 0 when it was stopped, 78 when a port is taken. */
export async function demoCommand(io: Io): Promise<number> {
  const configFile = packageFile('config/quickstart.yaml');
  mkdirSync(STATE_FOLDER, { recursive: true });
  const services: DemoService[] = [];
  try {
    services.push(await startVersion('v1 (control)', CONTROL_PORT));
    services.push(await startVersion('v2 (candidate)', CANDIDATE_PORT));
    const stopped = untilStopped();
    const sidecar = await startWith(configFile, io);
    io.out(welcome(relative(process.cwd(), configFile)));
    await stopped;
    io.err('stopping: requests in flight are finished first\n');
    await sidecar.stop();
  } finally {
    await Promise.all(services.map((service) => service.stop()));
  }
  return Exit.ok;
}

async function startVersion(version: string, port: number): Promise<DemoService> {
  try {
    return await startDemoService({ version, port });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CliError(
      Exit.unfit,
      `the demo service ${version} could not listen on port ${port}: ${reason}`,
      {
        cause,
      },
    );
  }
}

async function startWith(configFile: string, io: Io): Promise<Sidecar> {
  try {
    return await startSidecar({ configFile, environment: io.env });
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

/** What is running where, and four things to try. */
export function welcome(configFile: string): string {
  const api = `${SIDECAR_URL}/api/search`;
  return `
Fairlead demo: one service in two versions, and the sidecar in front of them.

  sidecar    ${SIDECAR_URL}   90 % control, 10 % candidate by x-user-id (${configFile})
  control    http://127.0.0.1:${CONTROL_PORT}    version v1
  candidate  http://127.0.0.1:${CANDIDATE_PORT}    version v2; POST /demo/fail, /demo/slow, /demo/hang, /demo/heal change it
  metrics    ${PROBE_URL}/metrics
  admin      ${ADMIN_URL}/v1/breakers   (changes need the token in ${configFile})
  logs       tail -f ${STATE_FOLDER}/access.log ${STATE_FOLDER}/exposures.ndjson

Try in another terminal:

  1. plain: nobody known, so the control answers
     curl -i ${api}
  2. with a user id: 3 is on the candidate each time, 1 on the control
     curl -i -H 'x-user-id: 3' ${api}
  3. with an override: the candidate on purpose
     curl -i -H 'x-experiment-override: ranking=candidate' ${api}
  4. with the candidate broken: 500s until the breaker opens, then the control's answers. /demo/heal mends it, and the breaker closes
     curl -X POST http://127.0.0.1:${CANDIDATE_PORT}/demo/fail; for i in $(seq 40); do curl -s -H 'x-experiment-override: ranking=candidate' ${api}; done

More: npx fairlead get breakers | explain -c ${configFile} -H 'x-user-id: 3' /api/search | load ${api}\nCtrl-C stops everything.

`;
}
