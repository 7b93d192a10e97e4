/**
 * Whatever an upstream does to whatever request: what may not be done twice is seen once at most, by all upstreams
 * together; and whoever may be served by control is, as long as control is well.
 */
import { createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type ForwardPlane, forwardPlane } from '../support/forward-clock.ts';
import type { RawClient } from '../support/peers.ts';
import { answer, type Rig, Signal, useRig } from '../support/rig.ts';
import { CANDIDATE } from '../support/two-arms.ts';

const rig = useRig();

/** What happens to a connection that is accepted; `early`: it is reset at the first byte. */
const GREETINGS = ['serve', 'serve', 'serve', 'reset', 'early'] as const;
/** What happens to a request whose head is there; the `late` ones wait for its body. */
const DEEDS = [
  'ok',
  'ok',
  'reset',
  'end',
  'late-reset',
  'late-end',
  'hang',
  'garbage',
  'half-head',
  '503',
  'late-503',
  'long-503',
  '502-close',
  'continue-end',
] as const;

/** As long as anybody may be waited for, so that no pause of the machine is. */
const PER_TRY_MS = 10_000;

type Greeting = (typeof GREETINGS)[number];
type Deed = (typeof DEEDS)[number];

/** An upstream that does as it is told, request by request, and is well when nothing is left. */
class Puppet {
  /** Times that the head of a request was seen, by its number. */
  readonly seen = new Map<string, number>();
  /** Connections with a whole request that is never answered. */
  readonly hung = new Set<Socket>();
  greetings: Greeting[] = [];
  deeds: Deed[] = [];
  readonly #name: string;
  readonly #signal: Signal;
  readonly #sockets = new Set<Socket>();

  /** `signal` is woken when `hung` has changed. */
  constructor(name: string, signal: Signal) {
    this.#name = name;
    this.#signal = signal;
  }

  async listen(own: Rig): Promise<string> {
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    own.also(() => {
      for (const socket of this.#sockets) socket.destroy();
      server.close();
    });
    const address = server.address();
    return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.hung.delete(socket);
      this.#signal.wake();
    });
    const greeting = this.greetings.shift() ?? 'serve';
    if (greeting === 'reset') return void socket.resetAndDestroy();
    if (greeting === 'early') return void socket.once('data', () => socket.resetAndDestroy());
    let text = '';
    let deed: Deed | null = null;
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const head = text.indexOf('\r\n\r\n');
      if (head < 0) return;
      if (deed === null) {
        const id = /\r\nx-n: (\S+)\r\n/i.exec(text)![1]!;
        this.seen.set(id, (this.seen.get(id) ?? 0) + 1);
        deed = this.deeds.shift() ?? 'ok';
        if (!isLate(deed)) this.#do(socket, deed, '');
      }
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? 0);
      if (text.length < head + 4 + length) return;
      const done: Deed = deed;
      const body = text.slice(head + 4);
      text = '';
      deed = null;
      if (isLate(done)) this.#do(socket, done, body);
      if (done !== 'hang') return;
      this.hung.add(socket);
      this.#signal.wake();
    });
  }

  #do(socket: Socket, deed: Deed, body: string): void {
    const text = `${this.#name}${body.length}`;
    if (deed === 'ok') socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
    else if (deed === 'reset' || deed === 'late-reset') socket.resetAndDestroy();
    else if (deed === 'end' || deed === 'late-end') socket.end();
    else if (deed === 'garbage') socket.end('220 mail.example ESMTP\r\n');
    else if (deed === 'half-head') socket.end('HTTP/1.1 200 OK\r\nconte');
    else if (deed === 'continue-end') socket.end('HTTP/1.1 100 Continue\r\n\r\n');
    else if (deed === '502-close') socket.end('HTTP/1.1 502 Bad\r\nconnection: close\r\n\r\nno');
    else if (deed === 'long-503') socket.end('HTTP/1.1 503 No\r\ncontent-length: 70000\r\n\r\nno');
    else if (deed !== 'hang') socket.write('HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno');
  }
}

function isLate(deed: Deed): boolean {
  return deed === 'ok' || deed.startsWith('late-');
}

/** Status 0: the connection was cut within the answer. */
async function finalAnswer(
  client: RawClient,
  isBodiless: boolean,
): Promise<{ status: number; body: string }> {
  for (;;) {
    const got = await answer(client, { isBodiless }).catch((error: Error) => {
      if (error.message.startsWith('The connection closed')) return { status: 0, body: '' };
      throw error;
    });
    if (got.status === 0 || got.status >= 200) return got;
  }
}

/** Requests that wait for their answers, and time, which passes only while each of them waits for somebody who hangs. */
class Waiting {
  #count = 0;
  readonly #puppets: readonly Puppet[];
  readonly #signal: Signal;

  constructor(puppets: readonly Puppet[], signal: Signal) {
    this.#puppets = puppets;
    this.#signal = signal;
  }

  async during<T>(ask: () => Promise<T>): Promise<T> {
    this.#count++;
    try {
      return await ask();
    } finally {
      this.#count--;
      this.#signal.wake();
    }
  }

  /** Until all are answered. */
  async timePasses(proxy: ForwardPlane): Promise<void> {
    const hung = () => this.#puppets.flatMap((puppet) => [...puppet.hung]);
    const what = () => `${this.#count} requests wait, ${hung().length} of them for somebody who hangs`;
    while (this.#count > 0) {
      await this.#signal.until(() => hung().length === this.#count, what);
      const given = hung();
      if (given.length > 0) await proxy.forward(PER_TRY_MS + 1000);
      await this.#signal.until(() => !hung().some((socket) => given.includes(socket)), what);
    }
  }
}

const METHODS = ['GET', 'HEAD', 'PUT', 'DELETE', 'POST', 'PATCH', 'BREW'] as const;
const REPLAY_BYTES = 4096;

const request = fc.record({
  method: fc.constantFrom(...METHODS),
  size: fc.constantFrom(0, 0, 10, REPLAY_BYTES, REPLAY_BYTES + 1, 150_000),
  /** The body comes after the head, when the upstream may have failed already. */
  isSplit: fc.boolean(),
});

const puppet = fc.record({
  greetings: fc.array(fc.constantFrom(...GREETINGS), { maxLength: 6 }),
  deeds: fc.array(fc.constantFrom(...DEEDS), { maxLength: 12 }),
});

it('a request that may not be done twice is seen once at most, and control serves who may be served by it', async () => {
  const signal = new Signal();
  const candidates = [new Puppet('candidate', signal), new Puppet('candidate', signal)];
  const control = new Puppet('control', signal);
  const waiting = new Waiting([control, ...candidates], signal);
  const proxy = await forwardPlane(rig, [], {
    upstreams: {
      v1: await control.listen(rig),
      v2: {
        endpoints: await Promise.all(candidates.map((one) => one.listen(rig))),
        outlier: false,
      },
    },
    routes: [
      {
        name: 'api',
        upstream: 'v1',
        experiments: ['x'],
        retries: { attempts: 3, perTry: `${PER_TRY_MS}ms`, backOff: { base: '1ms', max: '2ms' } },
        failover: { after: `${2 * PER_TRY_MS}ms` },
      },
    ],
    experiments: {
      x: { variants: { control: {}, candidate: { weight: '50%', upstream: 'v2' } }, breaker: false },
    },
    limits: { replay: `${REPLAY_BYTES}B` },
  });
  let number = 0;
  const ask = async ({ method, size, isSplit }: { method: string; size: number; isSplit: boolean }) => {
    const id = `${++number}`;
    const client = rig.client(proxy.port);
    const body = 'b'.repeat(method === 'GET' || method === 'HEAD' ? 0 : size);
    const head = `${method} / HTTP/1.1\r\nHost: a\r\n${CANDIDATE}x-n: ${id}\r\nContent-Length: ${body.length}\r\n\r\n`;
    const first = isSplit ? head + body.slice(0, body.length / 2) : head + body;
    client.send(first);
    if (isSplit) setImmediate(() => client.send(body.slice(body.length / 2)));
    const got = await finalAnswer(client, method === 'HEAD');
    client.close();
    return { id, got, method, size: body.length };
  };
  const isSafeToRepeat = (method: string) => ['GET', 'HEAD', 'PUT', 'DELETE'].includes(method);
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 8 }),
      fc.tuple(puppet, puppet),
      async (requests, scripts) => {
        for (const [index, script] of scripts.entries()) {
          candidates[index]!.greetings = [...script.greetings];
          candidates[index]!.deeds = [...script.deeds];
        }
        const asked = Promise.all(requests.map((one) => waiting.during(() => ask(one))));
        const [answers] = await Promise.all([asked, waiting.timePasses(proxy)]);
        for (const { id, got, method, size } of answers) {
          const seen = [control, ...candidates].reduce((sum, one) => sum + (one.seen.get(id) ?? 0), 0);
          if (!isSafeToRepeat(method)) expect([method, id, seen <= 1]).toEqual([method, id, true]);
          else if (size <= REPLAY_BYTES) expect([method, id, got.status]).toEqual([method, id, 200]);
          if (got.status === 200 && method !== 'HEAD')
            expect(['control', 'candidate'].map((name) => `${name}${size}`)).toContain(got.body);
        }
      },
    ),
    { numRuns: 60 },
  );
}, 60_000);
