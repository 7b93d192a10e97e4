/**
 * A DNS server on a free port of 127.0.0.1, that answers what a test says and counts what it was asked. With UDP, and
 * with TCP for answers that do not fit.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { createServer, type Server } from 'node:net';
import { Signal } from './rig.ts';

const TYPES = { A: 1, AAAA: 28, SRV: 33 } as const;
type Type = keyof typeof TYPES;

const UDP_MAX_BYTES = 512;
const CODES = { ok: 0, servfail: 2, nxdomain: 3, refused: 5 } as const;

export interface SrvAnswer {
  readonly priority?: number;
  readonly weight?: number;
  readonly port: number;
  readonly target: string;
}

/** `silent`: no answer at all. */
export type Behaviour = keyof typeof CODES | 'silent';

interface Zone {
  ttl: number;
  behaviour: Behaviour;
  /** Of one type, where it is another. */
  failing: Partial<Record<Type, Behaviour>>;
  records: Partial<Record<Type, readonly (string | SrvAnswer)[]>>;
}

export class DnsServer {
  port = 0;
  /** What was asked, as `TYPE name`, in order. */
  readonly asked: string[] = [];
  readonly signal = new Signal();
  /** How many questions were answered by TCP. */
  tcpAnswers = 0;
  /** Of names that there are none of. */
  otherwise: Behaviour = 'nxdomain';
  readonly #zones = new Map<string, Zone>();
  readonly #udp: Socket = createSocket('udp4');
  readonly #tcp: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      const answer = this.#answer(chunk.subarray(2), Number.POSITIVE_INFINITY);
      if (answer === null) return;
      this.tcpAnswers++;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(answer.length);
      socket.write(Buffer.concat([length, answer]));
    });
  });

  async listen(): Promise<this> {
    this.#udp.on('message', (message, from: RemoteInfo) => {
      const answer = this.#answer(message, UDP_MAX_BYTES);
      if (answer !== null) this.#udp.send(answer, from.port, from.address, () => {});
    });
    // A port that is free with TCP may be somebody's with UDP.
    do {
      if (this.#tcp.listening) await new Promise((resolve) => this.#tcp.close(resolve));
      await new Promise<void>((resolve) => this.#tcp.listen(0, '127.0.0.1', resolve));
      const address = this.#tcp.address();
      this.port = typeof address === 'object' && address !== null ? address.port : 0;
    } while (!(await this.#isBound()));
    return this;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** From now on; replaces what was said of the name. */
  set(name: string, records: Zone['records'], ttl = 1): void {
    this.#zones.set(name, { ttl, behaviour: 'ok', failing: {}, records });
  }

  /** From now on the name gets no records, or none of one type. */
  fail(name: string, behaviour: Behaviour, type?: Type): void {
    const zone = this.#zones.get(name);
    if (type !== undefined && zone !== undefined) zone.failing[type] = behaviour;
    else this.#zones.set(name, { ttl: 0, behaviour, failing: {}, records: {} });
  }

  count(question: string): number {
    return this.asked.filter((asked) => asked === question).length;
  }

  /** Resolves when the question was asked `times` times. */
  until(question: string, times = 1): Promise<void> {
    return this.signal.until(
      () => this.count(question) >= times,
      () => `asked ${JSON.stringify(this.asked)}`,
    );
  }

  close(): void {
    this.#udp.close();
    this.#tcp.close();
  }

  /** The port with UDP as well; false: it is taken. */
  #isBound(): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException) => {
        this.#udp.off('listening', bound);
        if (error.code === 'EADDRINUSE') resolve(false);
        else reject(error);
      };
      const bound = () => {
        this.#udp.off('error', failed);
        resolve(true);
      };
      this.#udp.once('error', failed).once('listening', bound).bind(this.port, '127.0.0.1');
    });
  }

  #answer(message: Buffer, maxBytes: number): Buffer | null {
    const { name, type, end } = readQuestion(message);
    this.asked.push(`${type} ${name}`);
    this.signal.wake();
    const zone = this.#zones.get(name) ?? { ttl: 0, behaviour: this.otherwise, failing: {}, records: {} };
    const behaviour = zone.failing[type as Type] ?? zone.behaviour;
    if (behaviour === 'silent') return null;
    const values = behaviour === 'ok' ? (zone.records[type as Type] ?? []) : [];
    const records = values.map((value) => recordOf(TYPES[type as Type], zone.ttl, value));
    const answer = messageOf(message.subarray(0, end), CODES[behaviour], records, false);
    return answer.length > maxBytes ? messageOf(message.subarray(0, end), 0, [], true) : answer;
  }
}

function readQuestion(message: Buffer): { name: string; type: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at]!; length > 0; length = message[at]!) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const number = message.readUInt16BE(at + 1);
  const type = Object.entries(TYPES).find(([, value]) => value === number)?.[0] ?? String(number);
  return { name: labels.join('.').toLowerCase(), type, end: at + 5 };
}

function messageOf(question: Buffer, code: number, records: readonly Buffer[], isTruncated: boolean): Buffer {
  const head = Buffer.from(question);
  head.writeUInt16BE(0x8180 | code | (isTruncated ? 0x0200 : 0), 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(records.length, 6);
  head.writeUInt16BE(0, 8);
  head.writeUInt16BE(0, 10);
  return Buffer.concat([head, ...records]);
}

function recordOf(type: number, ttl: number, value: string | SrvAnswer): Buffer {
  const data = typeof value === 'string' ? addressBytes(value) : srvBytes(value);
  const head = Buffer.alloc(12);
  // The name is that of the question.
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttl, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function addressBytes(text: string): Buffer {
  if (!text.includes(':')) return Buffer.from(text.split('.').map(Number));
  const [front = '', back = ''] = text.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const first = groups(front);
  const last = text.includes('::') ? groups(back) : [];
  const all = [...first, ...Array<string>(8 - first.length - last.length).fill('0'), ...last];
  return Buffer.from(
    all.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]),
  );
}

function srvBytes({ priority = 0, weight = 0, port, target }: SrvAnswer): Buffer {
  const head = Buffer.alloc(6);
  head.writeUInt16BE(priority, 0);
  head.writeUInt16BE(weight, 2);
  head.writeUInt16BE(port, 4);
  const labels = target
    .split('.')
    .filter(Boolean)
    .map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
  return Buffer.concat([head, ...labels, Buffer.from([0])]);
}
