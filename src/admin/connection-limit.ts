/**
 * How many connections a server for people and tools may have. They take file descriptors, which the data path needs,
 * and the probe port is open to the network. When one too many comes the oldest goes that is not being answered:
 * connections that are opened and left cannot keep out the kubelet, nor cut off a client in the middle of its answer.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Applies from the next connection on. */
export function limitConnections(server: Server, connectionsMax: number): void {
  /** The oldest first. */
  const open = new Set<Socket>();
  const busy = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    if (open.size <= connectionsMax) return;
    const oldest = oldestOf(open, busy);
    open.delete(oldest);
    oldest.destroy();
  });
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    busy.add(socket);
    response.once('close', () => busy.delete(socket));
  });
}

/** Of those that are not busy, if there are any. There is one. */
function oldestOf(open: ReadonlySet<Socket>, busy: ReadonlySet<Socket>): Socket {
  let oldest: Socket | null = null;
  for (const socket of open) {
    if (!busy.has(socket)) return socket;
    oldest ??= socket;
  }
  return oldest!;
}
