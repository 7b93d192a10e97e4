/** The real command line in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface RunningProcess {
  readonly child: ChildProcess;
  /** Everything on stderr so far. */
  readonly log: () => string;
  /** Resolves with the exit code, when all that it had to say has been read. */
  readonly exited: Promise<number | null>;
}

/**
 * Starts `fairlead` with these arguments; killed with the test's process if it outlives it. `through` is a command that
 * runs what comes behind it, such as `sh -c 'ulimit -n 64; exec "$@"' sh`.
 */
export function fairlead(
  args: readonly string[],
  cwd: string,
  env: Record<string, string> = {},
  through: readonly string[] = [],
): RunningProcess {
  const [command = process.execPath, ...rest] = [...through, process.execPath, MAIN, ...args];
  const child = spawn(command, rest, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr?.on('data', (chunk) => {
    log += chunk;
  });
  child.stdout?.resume();
  // Not 'exit', which may come before the last lines of its output.
  const exited = once(child, 'close').then(([code]) => code as number | null);
  return { child, log: () => log, exited };
}

/** Starts `fairlead run` and resolves with its listeners' ports once it is ready. */
export async function runSidecar(
  configFile: string,
  cwd: string,
  through: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<RunningProcess & { readonly ports: Readonly<Record<string, number>> }> {
  const running = fairlead(['run', '-c', configFile], cwd, env, through);
  const failed = running.exited.then((code) => {
    throw new Error(`fairlead run exited with ${code}: ${running.log()}`);
  });
  const ready = new Promise<string>((resolve) => {
    running.child.stderr?.on('data', () => {
      const line = running
        .log()
        .split('\n')
        // Behind the last line end there may be the beginning of a line.
        .slice(0, -1)
        .find((text) => text.includes(' is ready: '));
      if (line !== undefined) resolve(line);
    });
  });
  const { addresses } = JSON.parse(await Promise.race([ready, failed])) as {
    addresses: Record<string, { port?: number }>;
  };
  failed.catch(() => {});
  return {
    ...running,
    ports: Object.fromEntries(Object.entries(addresses).map(([name, { port }]) => [name, port ?? 0])),
  };
}
