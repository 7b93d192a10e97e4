/** A configuration file with the run-time changes beside it laid over it, as a sidecar that starts now would have it. */
import { compile } from '../config/compile.ts';
import { formatIssue } from '../config/issue.ts';
import { EMPTY_RUNTIME, type RuntimeState } from '../config/runtime.ts';
import type { Config } from '../config/schema.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { overtakenWeights, withoutWeights } from '../control/runtime-changes.ts';
import { loadConfig } from '../control/source.ts';
import { readState } from '../control/state-file.ts';
import type { Io } from './io.ts';

export interface EffectiveRules {
  readonly config: Config;
  readonly runtime: RuntimeState;
}

/** Null when the file is not valid; its issues, and what was changed at run time, go to stderr. Changes neither file. */
export async function effectiveSnapshot(file: string, io: Io): Promise<Snapshot | null> {
  const rules = await effectiveRules(file, io);
  return rules === null ? null : compile(rules.config, rules.runtime, 1);
}

/** Those that `effectiveSnapshot` compiles. */
export async function effectiveRules(file: string, io: Io): Promise<EffectiveRules | null> {
  const config = await declaredConfig(file, io);
  return config === null ? null : { config, runtime: await runtimeBeside(config, io) };
}

/** The file alone. */
export async function declaredConfig(file: string, io: Io): Promise<Config | null> {
  const { config, issues } = await loadConfig({ file, environment: io.env });
  for (const issue of issues) io.err(`${formatIssue(issue)}\n`);
  return config;
}

async function runtimeBeside(config: Config, io: Io): Promise<RuntimeState> {
  if (config.stateFile === undefined) return EMPTY_RUNTIME;
  const { state, problem } = await readState(config.stateFile);
  if (problem !== null) io.err(`${problem}\n`);
  for (const [name, { status, weights }] of state.experiments) {
    if (!Object.hasOwn(config.experiments, name)) continue;
    for (const change of [status, weights]) {
      if (change !== null)
        io.err(`${name} was changed at run time by ${change.actor} at ${change.at}: ${change.reason}\n`);
    }
  }
  return withoutWeights(state, overtakenWeights(config, state));
}
