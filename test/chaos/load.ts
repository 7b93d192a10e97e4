/** The load of a chaos run: users who do one thing after the other and write down what came of it. */
import type { Random } from '../../src/base/clock.ts';
import { type Asked, Asker } from '../support/ask.ts';

const USERS = 5000;
/** Up to this long from one request of a user to the next. */
const PAUSE_MAX_MS = 40;
const PUT_MAX_BYTES = 32_768;
/** Beyond every limit of the sidecar: it has lost the request. */
const HUNG_MS = 20_000;

export type Method = 'GET' | 'PUT' | 'POST';

/** A request that did not get a whole 200. */
export interface Failure extends Asked {
  readonly method: Method;
  readonly id: string;
  readonly startedMs: number;
  readonly endedMs: number;
}

export class Load {
  readonly asked: Record<Method, number> = { GET: 0, PUT: 0, POST: 0 };
  readonly failures: Failure[] = [];
  /** POSTs that were answered with a 200. */
  readonly accepted: string[] = [];
  /** Answers by who gave them: `control-1`. */
  readonly served = new Map<string, number>();
  /** Milliseconds to a good answer. */
  readonly times: number[] = [];
  readonly #name: string;
  readonly #random: Random;
  readonly #asker: Asker;
  #isOver = false;
  #nextId = 0;
  #clients: Promise<unknown> = Promise.resolve();

  /** `name` keeps its requests apart from those of another load. */
  constructor(name: string, port: number, random: Random) {
    this.#name = name;
    this.#random = random;
    this.#asker = new Asker(port, 1000);
  }

  get total(): number {
    return this.asked.GET + this.asked.PUT + this.asked.POST;
  }

  begin(clients: number): void {
    this.#clients = Promise.all(Array.from({ length: clients }, () => this.#client()));
  }

  /** Resolves when all have their last answer, and their connections are closed. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#clients;
    this.#asker.close();
  }

  async #client(): Promise<void> {
    while (!this.#isOver) {
      await this.#one();
      await new Promise((resolve) => setTimeout(resolve, this.#random.next() * PAUSE_MAX_MS));
    }
  }

  async #one(): Promise<void> {
    const draw = this.#random.next();
    const method: Method = draw < 0.5 ? 'GET' : draw < 0.75 ? 'PUT' : 'POST';
    const id = `${this.#name}-${this.#nextId++}`;
    const headers = {
      'x-id': id,
      'x-request-id': id,
      'x-user-id': `u${Math.floor(this.#random.next() * USERS)}`,
    };
    const bytes = method === 'PUT' ? Math.floor(this.#random.next() * PUT_MAX_BYTES) : 20;
    const body = method === 'GET' ? {} : { body: 'x'.repeat(bytes) };
    const startedMs = performance.now();
    const result = await this.#asker.ask({ method, headers, ...body, timeoutMs: HUNG_MS });
    this.asked[method]++;
    if (result.status !== 200 || !result.isComplete) {
      this.failures.push({ ...result, method, id, startedMs, endedMs: performance.now() });
      return;
    }
    const name = result.body.split(' ')[0]!;
    this.served.set(name, (this.served.get(name) ?? 0) + 1);
    this.times.push(result.ms);
    if (method === 'POST') this.accepted.push(id);
  }
}
