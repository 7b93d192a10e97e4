/**
 * `fairlead explain -c FILE [-H 'name: value']... [METHOD] TARGET`: prints what `explain-request.ts` finds. Reads the
 * file and the run-time state beside it, or asks a running sidecar; changes nothing, and sends the request nowhere.
 */
import { systemClock, systemRandom } from '../base/clock.ts';
import { didYouMean } from '../config/suggest.ts';
import { type AdminTarget, adminPost } from './admin-client.ts';
import { effectiveSnapshot } from './effective.ts';
import { describe, type RequestDescription } from './explain-input.ts';
import {
  type DescribedRequest,
  type ExperimentExplanation,
  type Explanation,
  explainRequest,
} from './explain-request.ts';
import { CliError, Exit, type Io } from './io.ts';

export interface ExplainOptions extends RequestDescription {
  /** The file; or else `admin`. */
  readonly config?: string | undefined;
  /** The sidecar that is running. */
  readonly admin?: string | undefined;
  readonly token?: string | undefined;
  readonly output: 'text' | 'json';
  /** Print the unit itself and not only its hash. */
  readonly showUnit?: boolean | undefined;
}

/**
 * 0 with an answer, 1 when no route matches, 2 for a request that cannot be, 3 for a config that is not valid.
 * @param input Read when the target is `-`.
 */
export async function explainCommand(
  options: ExplainOptions,
  io: Io,
  input: AsyncIterable<Uint8Array | string> = process.stdin,
): Promise<number> {
  const { config, admin, output, showUnit = false } = options;
  if ((config === undefined) === (admin === undefined))
    throw new CliError(Exit.usage, 'give --config FILE or --admin URL');
  const request = await describe(options, input);
  const explanation =
    config === undefined
      ? await explainRunning({ admin: admin ?? '', token: options.token }, { request, showUnit }, io)
      : await explainFile(config, { request, showUnit }, io);
  if (explanation === null) return Exit.configInvalid;
  io.out(output === 'json' ? `${JSON.stringify(explanation, null, 2)}\n` : formatExplanation(explanation));
  return explanation.route === null ? Exit.negative : Exit.ok;
}

interface Question {
  readonly request: DescribedRequest;
  readonly showUnit: boolean;
}

async function explainFile(
  file: string,
  { request, showUnit }: Question,
  io: Io,
): Promise<Explanation | null> {
  const snapshot = await effectiveSnapshot(file, io);
  if (snapshot === null) return null;
  const { listener } = request;
  const listeners = snapshot.listeners.map(({ name }) => name);
  if (listener !== undefined && !listeners.includes(listener))
    throw new CliError(
      Exit.usage,
      `there is no listener ${JSON.stringify(listener)}${didYouMean(listener, listeners)}`,
    );
  return explainRequest(snapshot, request, {
    random: systemRandom,
    wallMs: systemClock.wallMs(),
    showUnit,
  });
}

async function explainRunning(
  target: AdminTarget,
  { request, showUnit }: Question,
  { env }: Io,
): Promise<Explanation> {
  const body = { ...request, headers: Object.fromEntries(request.headers), showUnit };
  return (await adminPost(target, '/v1/explain', body, env)) as Explanation;
}

/** The explanation for a terminal. */
export function formatExplanation(explanation: Explanation): string {
  const { request, route, upstream } = explanation;
  const lines = [
    line(
      'request',
      `${request.method} ${request.path}${request.host === '' ? '' : ` host ${request.host}`} (${request.direction})`,
    ),
  ];
  lines.push(line('route', route === null ? 'none' : `${route.name}, upstream ${route.upstream}`));
  for (const { experiment, variant, isKnown } of explanation.carried) {
    lines.push(
      line('carried', `${experiment}=${variant ?? '?'}${isKnown ? '' : ' (not known here, passed on)'}`),
    );
  }
  for (const note of explanation.notes) lines.push(line('note', note));
  for (const { experiment, steps, assigned, reason } of explanation.required)
    lines.push('', line('required', experiment), ...indented(steps), `    -> ${assigned} (${reason})`);
  for (const experiment of explanation.experiments) lines.push('', ...experimentLines(experiment));
  if (upstream !== null)
    lines.push('', line('goes to', `${upstream.name} (${upstream.endpoints.join(', ')})`));
  for (const [name, value] of Object.entries(explanation.forwarded))
    lines.push(line('with', `${name}: ${value}`));
  return `${lines.join('\n')}\n`;
}

function experimentLines(experiment: ExperimentExplanation): string[] {
  const { unit } = experiment;
  const lines = [line('experiment', experiment.experiment), ...indented(experiment.steps)];
  if (unit !== null) lines.push(`    unit from ${unit.source}: ${unit.value ?? `hash ${unit.hash}`}`);
  lines.push(
    `    -> ${experiment.assigned} (${experiment.reason}), upstream ${experiment.upstream}; breaker: ${experiment.breaker}`,
  );
  const { served, servedBecause } = experiment;
  if (servedBecause !== null) lines.push(`    served ${served}: ${BECAUSE[servedBecause]}`);
  return lines;
}

const BECAUSE = {
  conflict: 'an experiment before it has chosen another upstream',
  breaker: 'the breaker is open',
};

function indented(steps: readonly string[]): string[] {
  return steps.map((step) => `    ${step}`);
}

function line(label: string, text: string): string {
  return `${label.padEnd(10)}  ${text}`;
}
