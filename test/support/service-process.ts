/** Starts `service.ts`, tells it how to behave, kills it, stops it and brings it back on the same port. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-ports.ts';
import type { FromService, Mode } from './service.ts';

const PROGRAM = fileURLToPath(new URL('./service.ts', import.meta.url));

export class ServiceProcess {
  readonly name: string;
  port = 0;
  readonly #record: string;
  #child: ChildProcess | null = null;

  private constructor(name: string, record: string) {
    this.name = name;
    this.#record = record;
  }

  /** @param record a file that it appends the ids of requests to; '' for none */
  static async start(name: string, record = ''): Promise<ServiceProcess> {
    const service = new ServiceProcess(name, record);
    // One that nobody is given while it is dead.
    service.port = await freePort();
    await service.restart();
    return service;
  }

  get endpoint(): string {
    return `127.0.0.1:${this.port}`;
  }

  get isRunning(): boolean {
    return this.#child !== null;
  }

  /** Resolves when requests are answered like this. */
  async behave(mode: Mode): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    const told = once(child, 'message');
    child.send({ mode });
    await told;
  }

  /** Like a crash: its connections are reset and its port refuses. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.#child = null;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** It is there, its kernel takes connections, and it does nothing. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  /** On the port it had, good as new. */
  async restart(): Promise<void> {
    await this.kill();
    const child = fork(PROGRAM, [this.name, String(this.port), this.#record], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const [first] = (await once(child, 'message')) as [FromService];
    if (!('port' in first)) throw new Error(`${this.name} did not say its port`);
    this.port = first.port;
    this.#child = child;
  }
}
