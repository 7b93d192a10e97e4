/** A listener that never accepts and whose queue is full: connecting to it takes for ever. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Rig } from './rig.ts';

export async function deafEndpoint(rig: Rig): Promise<string> {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
       parentPort.postMessage(server.address().port);
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
     });`,
    { eval: true },
  );
  rig.also(() => worker.terminate());
  const [port] = (await once(worker, 'message')) as [number];
  // The queue takes a few; the others wait in vain as the proxy will.
  const fillers = Array.from({ length: 4 }, () => rig.socket(port));
  await Promise.all(fillers.slice(0, 2).map((socket) => once(socket, 'connect')));
  return `127.0.0.1:${port}`;
}
