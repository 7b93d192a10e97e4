/**
 * Programs from outside npm that some tests hold Fairlead against. Where one is missing, those tests are skipped by
 * name, so that `npm test` passes on a machine with Node alone; in CI (`CI` is set) a missing one is an error.
 */
import { spawnSync } from 'node:child_process';

/** Whether all of these are on the PATH. Throws in CI when one is not. */
export function hasTools(...names: readonly string[]): boolean {
  const missing = names.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
  if (missing.length > 0 && process.env.CI)
    throw new Error(`CI must install ${missing.join(', ')}: see .ci/run.`);
  return missing.length === 0;
}
