/**
 * Messages of the wire suite, damaged at random for a bounded time, through the real data plane over sockets, cut into
 * packets at random. What the upstream gets is what the codec takes, and no more; what the client gets is whole
 * messages, one for each request, or a response that is visibly broken off. Nothing else comes out, whatever goes in.
 *
 * FUZZ_SEED=n repeats a run; FUZZ_MS=n makes it longer.
 */
import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type Message, readMessages } from '../support/codec.ts';
import { type Message as Read, readMessage } from '../support/message.ts';
import { damage, pick, type Source } from '../support/mutate.ts';
import { rawUpstream } from '../support/peers.ts';
import { useRig } from '../support/rig.ts';
import { wireCases } from '../support/wire.ts';
import { forwardUntouched } from '../support/wire-codec.ts';

const rig = useRig();
const MS = 1500;
/** Messages must be compared in numbers, or the run says nothing. */
const COMPARED_MIN = 50;
/** As many of each kind as the plane allows by default. */
const LIMITS = { headMaxBytes: 65_536, targetMaxBytes: 8192, fieldsMax: 100 };
const CHUNK_LIMITS = { extensionMaxBytes: 1024, trailerMaxBytes: 8192 };
/** As in proxy/response-reader.ts. */
const INFORMATIONAL_MAX = 32;
/** Longer than anything here takes; only a bug waits for it. */
const DEADLINE_MS = 5000;
const UNTOUCHED = {
  forwarding: {
    forwardedFor: 'off',
    forwardedProto: 'off',
    forwardedHost: 'off',
    via: false,
    requestId: false,
    traceparent: false,
  },
};

/** With a limit that is never reached, so that every place that is taken shows. */
function limited(endpoint: string): object {
  return { ...UNTOUCHED, upstreams: { app: { endpoints: [endpoint], concurrency: 10_000 } } };
}

const cases = wireCases();
const requests = cases.map(({ request }) => request.toString('latin1'));
const responses = cases.flatMap(({ response }) => (response === null ? [] : [response.toString('latin1')]));

/** Writes in up to four packets. */
async function send(socket: Socket, text: string, random: Source): Promise<void> {
  const cuts = Array.from({ length: Math.floor(random.next() * 4) }, () => random.next() * text.length);
  let at = 0;
  for (const end of [...cuts.map(Math.floor).sort((a, b) => a - b), text.length]) {
    if (end > at) socket.write(text.slice(at, end), 'latin1');
    at = Math.max(at, end);
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end();
}

/** Sends `text`, closes the sending side, and answers all that comes and whether it ended with a reset. */
async function talk(port: number, text: string, random: Source): Promise<{ text: string; isReset: boolean }> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  let received = '';
  let isReset = false;
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
  });
  socket.on('error', () => {
    isReset = true;
  });
  const closed = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not closed behind ${received}`)), DEADLINE_MS);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
  void send(socket, text, random);
  await closed;
  return { text: received, isReset };
}

/** The final response in `text`, if it is complete. */
function finalOf(text: string, isBodiless: boolean): Read | null {
  let rest = text;
  for (;;) {
    const message = readMessage(rest, { isBodiless, isEnded: true });
    if (message === null || message.status >= 200 || message.status === 101) return message;
    rest = rest.slice(message.size);
  }
}

/** The start line, fields and body of a message, for comparing. */
function line({ startLine, fields }: Read, body: string): string {
  return `${startLine}|${fields.map((field) => field.join(':'))}|${body}`;
}

/** The requests that are served, in order: those before the first that is refused, incomplete or the last. */
function served(text: string): Message[] {
  const reader = readMessages('request', Buffer.from(text, 'latin1'), [], {
    limits: LIMITS,
    chunkLimits: CHUNK_LIMITS,
    onHead: forwardUntouched,
  });
  const all: Message[] = [];
  for (const message of reader.messages) {
    const expectations = message.fields.filter((field) => /^expect:/i.test(field));
    const isKnown = message.versionMinor === 0 || /^(?:expect: 100-continue)?$/i.test(expectations.join());
    if (!message.isComplete || !isKnown) break;
    all.push(message);
    if (message.isClose || (message.versionMinor === 0 && !message.isKeepAlive)) break;
  }
  return all;
}

describe('damaged requests', () => {
  it('reach the upstream as the codec takes them, and each is answered once', async () => {
    const upstream = await rawUpstream((socket, text, connection) => {
      let message = readMessage(text.slice(taken[connection] ?? 0));
      for (; message !== null; message = readMessage(text.slice(taken[connection]))) {
        taken[connection] = (taken[connection] ?? 0) + message.size;
        seen.push(line(message, message.body));
        socket.write(
          `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${/^HEAD /.test(message.startLine) ? '' : 'ok'}`,
        );
      }
    });
    rig.also(() => upstream.close());
    const taken: number[] = [];
    let seen: string[] = [];
    const { port, plane } = await rig.plane([], limited(upstream.endpoint));
    const compared = await damage(requests, { ms: MS, min: COMPARED_MIN }, async (text, random) => {
      seen = [];
      const expected = served(text);
      const got = await talk(port, text, random);
      expect(seen).toEqual(
        expected.map(({ forwarded, data }) => {
          const message = readMessage(forwarded, { isBodiless: true })!;
          return line(message, data);
        }),
      );
      let rest = got.text;
      for (const { method } of expected) {
        const answered = readMessage(rest, { isBodiless: method === 'HEAD' });
        expect(answered?.startLine).toBe('HTTP/1.1 200 OK');
        rest = rest.slice(answered!.size);
      }
      const refusal = rest === '' ? null : readMessage(rest);
      expect(rest.slice(refusal?.size ?? 0)).toBe('');
      if (refusal !== null) expect(refusal.status).toBeGreaterThanOrEqual(400);
      return expected.length;
    });
    expect(compared).toBeGreaterThanOrEqual(COMPARED_MIN);
    await expect.poll(() => plane.inFlight()).toBe(0);
    expect(plane.limits.view().concurrency).toMatchObject([{ inFlight: 0, rejected: 0 }]);
  });
});

describe('damaged responses', () => {
  it('reach the client as the codec takes them, or are refused or broken off', async () => {
    let response = '';
    let source: Source = { next: () => 0 };
    const upstream = await rawUpstream((socket) => void send(socket, response, source));
    rig.also(() => upstream.close());
    const { port, plane } = await rig.plane([], limited(upstream.endpoint));
    const compared = await damage(responses, { ms: MS, min: COMPARED_MIN }, async (text, random) => {
      response = text;
      source = random;
      const method = pick(random, ['GET', 'GET', 'HEAD']);
      const version = pick(random, ['1.1', '1.1', '1.0']);
      const got = await talk(port, `${method} / HTTP/${version}\r\nHost: a\r\n\r\n`, random);
      const reader = readMessages('response', Buffer.from(text, 'latin1'), [], {
        limits: LIMITS,
        chunkLimits: CHUNK_LIMITS,
        methodOf: () => method,
      });
      reader.end();
      const final = reader.messages.find(({ status }) => status === 101 || status >= 200);
      const message = finalOf(got.text, method === 'HEAD');
      const isEndless = reader.messages.filter(({ status }) => status < 200).length > INFORMATIONAL_MAX;
      if (final?.isComplete && final.status !== 101 && !isEndless) {
        expect([message?.status, message?.body]).toEqual([final.status, final.data]);
        return 1;
      }
      // A refusal, or the beginning of what cannot be finished; an HTTP/1.0 client sees that by the reset only.
      if (message !== null && !got.isReset) expect(message.status).toBe(502);
      return 0;
    });
    expect(compared).toBeGreaterThanOrEqual(COMPARED_MIN);
    // The client may see its end before the plane sees that of the upstream.
    await expect.poll(() => plane.inFlight()).toBe(0);
    await expect.poll(() => plane.upstreams()[0]!.endpoints[0]!.open).toBe(0);
    expect(plane.limits.view().concurrency).toMatchObject([{ inFlight: 0, rejected: 0 }]);
  });
});
