/**
 * `fairlead plan NEW.yaml`: what would change if this file were loaded: by a running sidecar, with what was changed
 * there at run time, or in place of another file. Reads and changes nothing.
 */
import type { Readable } from 'node:stream';
import { systemClock } from '../base/clock.ts';
import { configHash } from '../config/hash.ts';
import type { Config } from '../config/schema.ts';
import { parseState } from '../control/state-file.ts';
import { type AdminTarget, adminGet } from './admin-client.ts';
import { declaredConfig, effectiveRules } from './effective.ts';
import { CliError, Exit, type Io } from './io.ts';
import { planOf, type Rules } from './plan-changes.ts';
import { readSample } from './plan-sample.ts';
import { planText } from './plan-text.ts';

const DEFAULT_ADMIN = 'http://127.0.0.1:15100';

export interface PlanCommandOptions {
  readonly file: string;
  /** The file that is in effect. */
  readonly against?: string | undefined;
  /** The sidecar that is running. */
  readonly admin?: string | undefined;
  readonly token?: string | undefined;
  /** NDJSON of the access log, of exposures, or of unit ids; `-`: on stdin. */
  readonly sample?: string | undefined;
  readonly units: number;
  readonly output: 'text' | 'json';
}

/**
 * 1 when anything would change, 0 when not, 3 when the file is not valid, 2 for a sample that cannot be read.
 * @param input Read when the sample is `-`.
 */
export async function planCommand(
  options: PlanCommandOptions,
  io: Io,
  input: Readable = process.stdin,
): Promise<number> {
  if (options.against !== undefined && options.admin !== undefined)
    throw new CliError(Exit.usage, 'give --against or --admin, not both');
  const config = await declaredConfig(options.file, io);
  if (config === null) return Exit.configInvalid;
  const before =
    options.against === undefined
      ? await running({ admin: options.admin ?? DEFAULT_ADMIN, token: options.token }, io)
      : await fromFile(options.against, io);
  if (before === null) return Exit.configInvalid;
  const sample = options.sample === undefined ? null : await readSample(options.sample, input);
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
async function running(target: AdminTarget, io: Io): Promise<Rules> {
  const [view, state] = await Promise.all([
    adminGet(target, '/v1/config', io.env) as Promise<{ declared?: unknown; hash?: unknown }>,
    adminGet(target, '/v1/runtime', io.env),
  ]);
  const runtime = parseState(JSON.stringify(state));
  if (runtime === null || typeof view.declared !== 'object' || view.declared === null)
    throw new CliError(
      Exit.internal,
      `what ${target.admin} says of its rules is not understood; is it another version?`,
    );
  return { config: view.declared as Config, runtime, hash: String(view.hash) };
}
