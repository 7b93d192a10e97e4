/** By what an experiment deals its units out: another of it is another draw, and so another epoch. Pure. */
import { createHash } from 'node:crypto';
import { canonicalJson } from './canonical.ts';
import { NATIVE_ALGORITHM } from './schema-algorithm.ts';
import type { ExperimentConfig } from './schema-experiment.ts';

const DIGITS = 8;

/** The salt of fairlead1; for another system's algorithm its name, with a fingerprint of all its options. */
export function saltOf(name: string, { salt, algorithm }: ExperimentConfig): string {
  if (algorithm === undefined || algorithm.name === NATIVE_ALGORITHM) return salt ?? name;
  const options = createHash('sha256').update(canonicalJson(algorithm)).digest('hex');
  return `${algorithm.name} ${options.slice(0, DIGITS)}`;
}
