/** A process that stands still (SIGSTOP), as one on a machine that hangs. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'vitest';

/** Resolves when it does: a signal is sent before it is heard, and each thread hears it for itself. */
export async function standStill(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  if (process.platform !== 'linux') return;
  const tasks = `/proc/${pid}/task`;
  const stateOf = (task: string) => /\) (\w) /.exec(readFileSync(`${tasks}/${task}/stat`, 'utf8'))![1];
  await expect.poll(() => new Set(readdirSync(tasks).map(stateOf))).toEqual(new Set(['T']));
}
