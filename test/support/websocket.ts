/** WebSockets for tests: servers and clients of the ws package, and frames by hand where ws would be too well behaved. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type ClientOptions, type ServerOptions, WebSocket, WebSocketServer } from 'ws';
import { MIB } from './flow.ts';
import type { Rig } from './rig.ts';

export interface TestServer {
  readonly endpoint: string;
  readonly server: WebSocketServer;
  /** The server's end of the next connection. */
  accepted(): Promise<WebSocket>;
}

/** A server on a free port that sends every message back. */
export async function webSocketServer(rig: Rig, options: ServerOptions = {}): Promise<TestServer> {
  const http = createServer();
  const server = new WebSocketServer({ server: http, maxPayload: 64 * MIB, ...options });
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  rig.also(() => {
    for (const socket of server.clients) socket.terminate();
    http.close();
  });
  const address = http.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    endpoint: `127.0.0.1:${port}`,
    server,
    accepted: async () => (await once(server, 'connection'))[0] as WebSocket,
  };
}

/** An open client. */
export async function webSocket(rig: Rig, port: number, options: ClientOptions = {}): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`, { maxPayload: 64 * MIB, ...options });
  socket.on('error', () => {});
  rig.also(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

/** The code that a WebSocket is closed with. */
export async function closed(socket: WebSocket): Promise<number> {
  return (await once(socket, 'close'))[0] as number;
}

export const Opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface Frame {
  readonly opcode: number;
  readonly payload: string;
  readonly isFin?: boolean;
}

/** A frame as it is on the wire, latin1; a client's is masked. */
export function frame({ opcode, payload, isFin = true }: Frame, isMasked: boolean): string {
  const key = isMasked ? [0x11, 0xa2, 0x33, 0xc4] : [];
  const { length } = payload;
  const extended = Buffer.alloc(length < 126 ? 0 : length < 65_536 ? 2 : 8);
  if (extended.length === 2) extended.writeUInt16BE(length);
  if (extended.length === 8) extended.writeBigUInt64BE(BigInt(length));
  const short = length < 126 ? length : length < 65_536 ? 126 : 127;
  const bytes = Buffer.from(payload, 'latin1');
  if (isMasked) for (let i = 0; i < length; i++) bytes[i]! ^= key[i % 4]!;
  const head = [(isFin ? 0x80 : 0) | opcode, (isMasked ? 0x80 : 0) | short, ...extended, ...key];
  return Buffer.concat([Buffer.from(head), bytes]).toString('latin1');
}

/** A Close frame with a code. */
export function closeFrame(code: number, isMasked: boolean): string {
  return frame({ opcode: Opcode.close, payload: String.fromCharCode(code >> 8, code & 0xff) }, isMasked);
}

/** The frames in `text`, unmasked, and whether each was masked. Throws when the last one is not whole. */
export function framesIn(text: string): (Required<Frame> & { readonly isMasked: boolean })[] {
  const bytes = Buffer.from(text, 'latin1');
  const frames: (Required<Frame> & { readonly isMasked: boolean })[] = [];
  for (let at = 0; at < bytes.length; ) {
    const isMasked = (bytes[at + 1]! & 0x80) !== 0;
    const short = bytes[at + 1]! & 0x7f;
    const extra = short < 126 ? 0 : short === 126 ? 2 : 8;
    const length =
      extra === 0 ? short : bytes.readUIntBE(at + 2 + Math.max(0, extra - 6), Math.min(extra, 6));
    const from = at + 2 + extra + (isMasked ? 4 : 0);
    if (from + length > bytes.length) throw new Error('The last frame is not whole.');
    const payload = Buffer.from(bytes.subarray(from, from + length));
    if (isMasked) for (let i = 0; i < length; i++) payload[i]! ^= bytes[from - 4 + (i % 4)]!;
    frames.push({
      opcode: bytes[at]! & 0x0f,
      isFin: (bytes[at]! & 0x80) !== 0,
      payload: payload.toString('latin1'),
      isMasked,
    });
    at = from + length;
  }
  return frames;
}
