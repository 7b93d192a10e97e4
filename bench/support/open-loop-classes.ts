/**
 * An open loop that keeps the answers apart by their status: requests are due at Poisson instants whatever the answers
 * do, and the clock of each runs from then. In JavaScript, so it is good for some thousand a second and for milliseconds;
 * for more and for less there is open-loop.c.
 */
import { connect, type Socket } from 'node:net';
import { systemRandom } from '../../src/base/clock.ts';

export interface ClassesOptions {
  readonly port: number;
  readonly rate: number;
  readonly seconds: number;
  /** Seconds before, that are not measured. */
  readonly warm: number;
  readonly connections: number;
  /** Paths with the weight of each. */
  readonly paths: Readonly<Record<string, number>>;
}

/** By `path status`: milliseconds of each answer, ascending. */
export type Classes = ReadonlyMap<string, readonly number[]>;

export interface ClassesResult {
  readonly classes: Classes;
  /** Due, and not answered by the end. */
  readonly unanswered: number;
  /** Answers that came while it was measured, whenever they were due. */
  readonly answersPerSecond: number;
}

/** How often it looks whether something is due. */
const STEP_MS = 1;

class Connection {
  isIdle = true;
  #due = { atMs: 0, path: '' };
  #text = '';
  readonly #socket: Socket;
  readonly #onAnswer: (connection: Connection, path: string, status: number, ms: number) => void;

  constructor(
    port: number,
    onAnswer: (connection: Connection, path: string, status: number, ms: number) => void,
  ) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#onAnswer = onAnswer;
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (text: string) => this.#read(text));
    this.#socket.on('error', () => {});
  }

  send(due: { atMs: number; path: string }): void {
    this.isIdle = false;
    this.#due = due;
    this.#text = '';
    this.#socket.write(`GET ${due.path} HTTP/1.1\r\nHost: bench\r\n\r\n`);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #read(text: string): void {
    this.#text += text;
    const headEnd = this.#text.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const length = Number(/content-length: (\d+)/i.exec(this.#text)?.[1] ?? 0);
    if (this.#text.length < headEnd + 4 + length) return;
    this.isIdle = true;
    const { atMs, path } = this.#due;
    this.#onAnswer(this, path, Number(this.#text.slice(9, 12)), performance.now() - atMs);
  }
}

/** One run. */
export async function openLoopByClass(options: ClassesOptions): Promise<ClassesResult> {
  const { port, rate, seconds, warm, connections } = options;
  const classes = new Map<string, number[]>();
  const waiting: { atMs: number; path: string }[] = [];
  const idle: Connection[] = [];
  const startMs = performance.now() + 200;
  const measuredMs = startMs + warm * 1000;
  const endMs = measuredMs + seconds * 1000;
  let unanswered = 0;
  let answers = 0;
  const onAnswer = (connection: Connection, path: string, status: number, ms: number): void => {
    const nowMs = performance.now();
    if (nowMs >= measuredMs && nowMs < endMs) answers++;
    if (nowMs - ms >= measuredMs && nowMs - ms < endMs) {
      unanswered--;
      const key = `${path} ${status}`;
      const known = classes.get(key);
      if (known === undefined) classes.set(key, [ms]);
      else known.push(ms);
    }
    const next = waiting.shift();
    if (next === undefined) idle.push(connection);
    else connection.send(next);
  };
  const all = Array.from({ length: connections }, () => new Connection(port, onAnswer));
  idle.push(...all);
  const choose = chooser(options.paths);
  let dueMs = startMs;
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const nowMs = performance.now();
      for (; dueMs <= nowMs && dueMs < endMs; dueMs -= (Math.log(1 - systemRandom.next()) * 1000) / rate) {
        const due = { atMs: dueMs, path: choose() };
        if (dueMs >= measuredMs) unanswered++;
        const connection = idle.pop();
        if (connection === undefined) waiting.push(due);
        else connection.send(due);
      }
      if (nowMs < endMs + 2000) return;
      clearInterval(timer);
      resolve();
    }, STEP_MS);
  });
  for (const connection of all) connection.destroy();
  for (const times of classes.values()) times.sort((left, right) => left - right);
  return { classes, unanswered, answersPerSecond: answers / seconds };
}

function chooser(paths: Readonly<Record<string, number>>): () => string {
  const entries = Object.entries(paths);
  const total = entries.reduce((sum, [, weight]) => sum + weight, 0);
  return () => {
    let at = systemRandom.next() * total;
    for (const [path, weight] of entries) {
      at -= weight;
      if (at < 0) return path;
    }
    return entries.at(-1)![0];
  };
}

/** Of ascending numbers. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
