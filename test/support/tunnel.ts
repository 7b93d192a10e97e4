/** Tunnels by hand: an upstream that switches to any protocol, a client behind a plane, and raw bytes between them. */
import type { Socket } from 'node:net';
import { expect } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { field } from './message.ts';
import type { RawClient } from './peers.ts';
import { startPlane, type TestPlane } from './plane.ts';
import { answer, configOf, get, type Rig, type Upstream } from './rig.ts';

export const PROTOCOL = 'echo/1';

/** A request for a tunnel. */
export function upgrade(protocol = PROTOCOL, fields = ''): string {
  return get('/chat', `Connection: keep-alive, Upgrade\r\nUpgrade: ${protocol}\r\n${fields}`);
}

export function switched(protocol = PROTOCOL): string {
  return `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`;
}

/** An upstream that switches, and keeps what it receives behind the head of its first connection. */
export async function switchingUpstream(
  rig: Rig,
  answerWith = switched(),
): Promise<{ readonly upstream: Upstream; received(): string }> {
  const text: string[] = [];
  const upstream = await rig.upstream(
    () => {},
    (socket) => {
      socket.removeAllListeners('data');
      let head = '';
      socket.on('data', (chunk) => {
        if (head.endsWith('\r\n\r\n')) text.push(chunk.toString('latin1'));
        else {
          head += chunk.toString('latin1');
          const end = head.indexOf('\r\n\r\n');
          if (end >= 0) {
            text.push(head.slice(end + 4));
            head = head.slice(0, end + 4);
            socket.write(answerWith, 'latin1');
          }
        }
        upstream.signal.wake();
      });
    },
  );
  return { upstream, received: () => text.join('') };
}

export interface RawTunnel extends TestPlane {
  readonly upstream: Upstream;
  readonly client: RawClient;
  /** The upstream's end. */
  readonly socket: Socket;
  /** What the upstream received behind the head. */
  received(): string;
}

export interface RawTunnelOptions {
  readonly protocol?: string;
  /** Sent by the client in the same packet as its request. */
  readonly behind?: string;
  /** Sent by the upstream in the same packet as its 101. */
  readonly more?: string;
  readonly settings?: object;
  readonly clock?: Clock;
}

/** An open tunnel. */
export async function rawTunnel(rig: Rig, options: RawTunnelOptions = {}): Promise<RawTunnel> {
  const { protocol = PROTOCOL, behind = '', more = '', settings = {}, clock = systemClock } = options;
  const { upstream, received } = await switchingUpstream(rig, `${switched(protocol)}${more}`);
  const proxy = await startPlane(configOf([upstream.endpoint], settings), clock);
  rig.also(() => proxy.close());
  const client = rig.client(proxy.port).send(`${upgrade(protocol)}${behind}`);
  const head = await answer(client);
  expect([head.status, field(head, 'connection'), field(head, 'upgrade')]).toEqual([
    101,
    'upgrade',
    protocol,
  ]);
  return { ...proxy, upstream, client, socket: upstream.sockets[0]!, received };
}

/** The value of one line of the metrics page; 0 when it is not there. `labels` in the order of the page. */
export async function metric(proxy: Pick<TestPlane, 'plane'>, name: string, labels: string): Promise<number> {
  const page = await proxy.plane.metrics.render();
  const line = page.split('\n').find((text) => text.startsWith(`${name}{${labels}} `));
  return line === undefined ? 0 : Number(line.split(' ').at(-1));
}

/** The record of the one request that is over, or will be. */
export async function ended(proxy: Pick<TestPlane, 'access'>) {
  await expect.poll(() => proxy.access.length, { interval: 5, timeout: 20_000 }).toBe(1);
  return proxy.access[0]!;
}
