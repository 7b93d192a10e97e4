/** The ports that workers listen on together. */
import { createServer } from 'node:net';
import type { ListenerSettings, SocketAddress } from '../config/snapshot.ts';
import type { Bindings } from '../workers/messages.ts';

/**
 * Workers share their ports with whoever asks for it, another sidecar of this user too, which would take part of the
 * requests: so the ports must be free now. Rejects with the system's error.
 */
export async function checkPorts(listeners: readonly ListenerSettings[]): Promise<void> {
  for (const { address } of listeners) {
    if (address.kind === 'unix' || address.port === 0) continue;
    await new Promise<void>((resolve, reject) => {
      const server = createServer();
      server.once('error', reject);
      server.listen({ host: address.host, port: address.port }, () => server.close(() => resolve()));
    });
  }
}

/** How a worker gets the connections of a listener; `first`: what the first worker has it bound to. */
export function bindingOf(address: SocketAddress, first: SocketAddress | undefined): Bindings[string] {
  if (address.kind === 'unix') return { kind: 'handed-over' };
  return { kind: 'shared-port', port: first?.kind === 'tcp' ? first.port : address.port };
}
