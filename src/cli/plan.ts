/**
 * `fairlead plan NEW.yaml`: what would change if this file were loaded: by a running sidecar, with what was changed
 * there at run time, or in place of another file. Reads and changes nothing.
 */
import { systemClock } from '../base/clock.ts';
import { configHash } from '../config/hash.ts';
import type { Config } from '../config/schema.ts';
import { parseState } from '../control/state-file.ts';
import { adminGet } from './admin-client.ts';
import { declaredConfig, effectiveRules } from './effective.ts';
import { CliError, Exit, type Io } from './io.ts';
import { planOf, type Rules } from './plan-changes.ts';
import { readSample } from './plan-sample.ts';
import { planText } from './plan-text.ts';

export interface PlanCommandOptions {
  readonly file: string;
  /** The file that is in effect. */
  readonly against?: string | undefined;
  /** The sidecar that is running. */
  readonly admin?: string | undefined;
  /** NDJSON of the access log, of exposures, or of unit ids. */
  readonly sample?: string | undefined;
  readonly units: number;
  readonly output: 'text' | 'json';
}

/** 1 when anything would change, 0 when not, 3 when the file is not valid, 2 for a sample that cannot be read. */
export async function planCommand(options: PlanCommandOptions, io: Io): Promise<number> {
  if (options.against !== undefined && options.admin !== undefined)
    throw new CliError(Exit.usage, 'give --against or --admin, not both');
  const config = await declaredConfig(options.file, io);
  if (config === null) return Exit.configInvalid;
  const before =
    options.against === undefined
      ? await running(options.admin ?? 'http://127.0.0.1:15100')
      : await fromFile(options.against, io);
  if (before === null) return Exit.configInvalid;
  const sample = options.sample === undefined ? null : await readSample(options.sample);
  const plan = planOf(
    before,
    { config, hash: configHash(config) },
    { units: options.units, ids: sample === null ? null : sample.ids, wallMs: systemClock.wallMs() },
  );
  if (options.output === 'json') {
    const shown = sample === null ? plan : { ...plan, sample: sample.expected(plan) };
    io.out(`${JSON.stringify(shown, null, 2)}\n`);
  } else {
    io.out(planText(plan, sample === null ? null : sample.expected(plan)));
  }
  return plan.isChanged ? Exit.negative : Exit.ok;
}

async function fromFile(file: string, io: Io): Promise<Rules | null> {
  const rules = await effectiveRules(file, io);
  return rules === null ? null : { ...rules, hash: configHash(rules.config) };
}

/** @throws CliError when it does not answer, or is too old to say what it has dealt out */
async function running(admin: string): Promise<Rules> {
  const [view, state] = await Promise.all([
    adminGet({ admin }, '/v1/config') as Promise<{ declared?: unknown; hash?: unknown }>,
    adminGet({ admin }, '/v1/runtime'),
  ]);
  const runtime = parseState(JSON.stringify(state));
  if (runtime === null || typeof view.declared !== 'object' || view.declared === null)
    throw new CliError(
      Exit.internal,
      `what ${admin} says of its rules is not understood; is it another version?`,
    );
  return { config: view.declared as Config, runtime, hash: String(view.hash) };
}
