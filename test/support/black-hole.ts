/**
 * An address that neither accepts nor refuses: somebody listens on it whose queue of connections is full and who takes
 * none out of it, so that the kernel drops what comes after. In a process of its own, which does nothing else.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const PROGRAM = `
  const [, port, host] = process.argv;
  const server = require('node:net').createServer();
  server.on('error', () => process.exit(1));
  server.listen({ port: Number(port), host, backlog: 1 }, () => {
    require('node:fs').writeSync(1, String(server.address().port));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });
`;

/** Connections that a queue for one may hold, and some. */
const FILLERS_MAX = 20;
/** On this machine a connection is made at once or not at all. */
const CONNECT_MS = 200;

export interface BlackHole {
  readonly port: number;
  close(): void;
}

/** `port` 0: any free one. Null: the machine has no such address. */
export async function blackHole(host: string, port = 0): Promise<BlackHole | null> {
  const child = spawn(process.execPath, ['-e', PROGRAM, String(port), host], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const fillers: Socket[] = [];
  const close = () => {
    child.kill('SIGKILL');
    for (const filler of fillers) filler.destroy();
  };
  const [text] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(() => [null])]);
  if (text === null) return null;
  const bound = Number(text);
  for (let i = 0; i < FILLERS_MAX; i++) {
    const filler = connect({ host, port: bound });
    filler.on('error', () => {});
    fillers.push(filler);
    const isConnected = await new Promise<boolean>((resolve) => {
      // After a pause of this process, what has happened meanwhile is heard before.
      const timer = setTimeout(() => setImmediate(setImmediate, () => resolve(false)), CONNECT_MS);
      filler.once('connect', () => {
        clearTimeout(timer);
        resolve(true);
      });
    });
    if (!isConnected) return { port: bound, close };
  }
  close();
  throw new Error(`${host}:${bound} accepts ${FILLERS_MAX} connections all the same`);
}
