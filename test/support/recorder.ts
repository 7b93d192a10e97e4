/** An Io that keeps what a command tells it. */
import type { Io } from '../../src/cli/io.ts';

export class Recorder implements Io {
  stdout = '';
  stderr = '';
  readonly env: Io['env'] = {};
  readonly isTerminal = false;

  out(text: string): void {
    this.stdout += text;
  }

  err(text: string): void {
    this.stderr += text;
  }
}
