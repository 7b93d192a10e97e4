/** A folder with a configuration file, and the control state opened on it, for tests. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ControlEvent } from '../../src/control/events.ts';
import { ControlState } from '../../src/control/state.ts';

/** What the wall clock says in these tests. */
export const START_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

export const halfAndHalf = {
  kind: 'set-weights',
  experiment: 'ranking',
  weightsPpm: { candidate: 500_000 },
  reason: 'looks good',
} as const;
export const kill = {
  kind: 'set-status',
  experiment: 'ranking',
  status: 'killed',
  reason: 'errors',
} as const;

/** Made new for each test; `remove` it afterwards. */
export class ControlFolder {
  readonly folder = mkdtempSync(join(tmpdir(), 'fairlead-state-'));
  readonly file = join(this.folder, 'fairlead.yaml');
  readonly stateFile = join(this.folder, 'state.json');
  readonly events: ControlEvent[] = [];
  readonly #opened: ControlState[] = [];

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Writes a config with the experiment `ranking` and a state file; `lines` are added. */
  declare(candidate = '10%', ...lines: string[]): void {
    const text = [
      'version: 1',
      'upstreams: { app: "127.0.0.1:9001" }',
      `stateFile: ${this.stateFile}`,
      `experiments: { ranking: { variants: { control: {}, candidate: { weight: ${candidate} } } } }`,
      ...lines,
      'requireMetadata: false',
      '',
    ];
    writeFileSync(this.file, text.join('\n'));
  }

  async open(wallMs = START_MS): Promise<ControlState> {
    const clock = { now: () => 0, wallMs: () => wallMs };
    const control = await ControlState.open({
      file: this.file,
      environment: {},
      clock,
      onEvent: (event) => this.events.push(event),
    });
    this.#opened.push(control);
    return control;
  }

  warnings(): string[] {
    return this.events.flatMap((event) => (event.kind === 'warning' ? [event.message] : []));
  }

  /** When what is written behind the changes is there: nothing new may come into a folder that is being removed. */
  async remove(): Promise<void> {
    for (const control of this.#opened) await control.flush();
    rmSync(this.folder, { recursive: true });
  }
}

/** The weight in effect of a variant of `ranking`. */
export function weightOf(control: ControlState, variant = 'candidate'): number | undefined {
  const experiment = control.snapshot.experiments.get('ranking');
  return experiment?.variants.find(({ name }) => name === variant)?.weightPpm;
}
