/** The upstreams of a soak: two variants with two endpoints each, of which one at a time is restarted. */
import { CANDIDATE_PORT } from '../proxies/split.ts';
import { accepts, type Started, sleep, start } from './processes.ts';
import { writeFiles, writeResponder } from './rig.ts';

const FIRST_PORT = CANDIDATE_PORT + 10;
const NAMES = ['v1-a', 'v1-b', 'v2-a', 'v2-b'] as const;
/** How long an endpoint stays away. */
const AWAY_MS = 1000;
const GONE_WITHIN_LOOKS = 50;

/** `host:port` of a variant's endpoints. */
export function endpointsOf(variant: 'v1' | 'v2'): string[] {
  return NAMES.flatMap((name, index) =>
    name.startsWith(variant) ? [`127.0.0.1:${FIRST_PORT + index}`] : [],
  );
}

export class SoakUpstreams {
  readonly restarts: { fromMs: number; toMs: number; name: string; isAbrupt: boolean }[] = [];
  readonly #processes = new Map<string, Started>();
  readonly #cores: string;
  #turn = 0;

  constructor(cores: string) {
    this.#cores = cores;
  }

  async start(): Promise<void> {
    writeFiles();
    for (const name of NAMES) await this.#start(name);
  }

  /** Restarts the next endpoint: every other one without warning, and in the next round the others. */
  async restartNext(): Promise<void> {
    const name = NAMES[this.#turn % NAMES.length]!;
    const isAbrupt = Math.floor(this.#turn / NAMES.length) % 2 === this.#turn % 2;
    this.#turn++;
    const process = this.#processes.get(name)!;
    const fromMs = Date.now();
    // SIGQUIT is nginx's graceful end: what is under way is finished.
    await (isAbrupt ? process.kill() : process.stop('SIGQUIT'));
    await sleep(AWAY_MS);
    await this.#start(name);
    this.restarts.push({ fromMs, toMs: Date.now(), name, isAbrupt });
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#processes.values()].map((process) => process.stop()));
  }

  async #start(name: (typeof NAMES)[number]): Promise<void> {
    const port = FIRST_PORT + NAMES.indexOf(name);
    // A killed worker takes a moment to be gone.
    for (let i = 0; i < GONE_WITHIN_LOOKS && (await accepts(port)); i++) await sleep(20);
    const config = writeResponder(name, [`127.0.0.1:${port}`]);
    this.#processes.set(name, await start(['nginx', '-c', config], { cores: this.#cores, port }));
  }
}
