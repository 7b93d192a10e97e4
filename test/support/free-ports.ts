/**
 * Ports for those that cannot be told to choose one themselves. Not such as the system gives to whoever asks for any: the
 * next one to ask may be given what was looked at a moment ago.
 */
import { createServer } from 'node:net';

/** Below those that Linux deals out (32768 and more), above those that people like. */
const FIRST = 20_000;
/** For each of the processes that run tests at one time: none looks at another's. */
const PER_PROCESS = 1000;
const PROCESSES = 10;

const begin = FIRST + (Number(process.env.VITEST_POOL_ID ?? 0) % PROCESSES) * PER_PROCESS;
/** Another run on this machine is likely to be somewhere else; no port is given twice in a file. */
let next = process.pid % PER_PROCESS;

/** A port of 127.0.0.1, and of all other addresses of this machine, that nobody has. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PER_PROCESS; tries++) {
    const port = begin + (next++ % PER_PROCESS);
    if (await isFree(port)) return port;
  }
  throw new Error(`no port from ${begin} to ${begin + PER_PROCESS - 1} is free`);
}

/** Different ones. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort());
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}
