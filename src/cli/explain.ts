/**
 * `fairlead explain -c FILE [-H 'name: value']... [-X METHOD] TARGET`: prints what `explain-request.ts` finds. Reads
 * the file and the run-time state beside it, changes neither, and sends nothing.
 */
import { systemClock, systemRandom } from '../base/clock.ts';
import { didYouMean } from '../config/suggest.ts';
import { effectiveSnapshot } from './effective.ts';
import {
  type DescribedRequest,
  type ExperimentExplanation,
  type Explanation,
  explainRequest,
} from './explain-request.ts';
import { CliError, Exit, type Io } from './io.ts';

export interface ExplainOptions {
  readonly config: string;
  /** Path and query, or a whole URL. */
  readonly target: string;
  readonly method: string;
  /** `name: value`. */
  readonly header: readonly string[];
  readonly outbound?: boolean | undefined;
  /** Of the client certificate the request would come with. */
  readonly clientIdentity?: string | undefined;
  /** IP address the request would come from. */
  readonly clientAddress?: string | undefined;
  /** The listener it would come to; the first of its direction unless given. */
  readonly listener?: string | undefined;
  readonly output: 'text' | 'json';
  /** Print the unit itself and not only its hash. */
  readonly showUnit?: boolean | undefined;
}

/** 0 with an answer, 1 when no route matches, 2 for a request that cannot be, 3 for a config that is not valid. */
export async function explainCommand(options: ExplainOptions, io: Io): Promise<number> {
  const request = describe(options);
  const snapshot = await effectiveSnapshot(options.config, io);
  if (snapshot === null) return Exit.configInvalid;
  const { listener } = request;
  const listeners = snapshot.listeners.map(({ name }) => name);
  if (listener !== undefined && !listeners.includes(listener))
    throw new CliError(
      Exit.usage,
      `there is no listener ${JSON.stringify(listener)}${didYouMean(listener, listeners)}`,
    );
  const explanation = explainRequest(snapshot, request, {
    random: systemRandom,
    wallMs: systemClock.wallMs(),
    showUnit: options.showUnit === true,
  });
  io.out(
    options.output === 'json' ? `${JSON.stringify(explanation, null, 2)}\n` : formatExplanation(explanation),
  );
  return explanation.route === null ? Exit.negative : Exit.ok;
}

/** @throws CliError for what cannot be a request. */
export function describe(options: ExplainOptions): DescribedRequest {
  const headers = new Map<string, string>();
  for (const line of options.header) {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (match === null)
      throw new CliError(Exit.usage, `${JSON.stringify(line)} is not a header; write 'name: value'`);
    const [, name = '', value = ''] = match;
    const before = headers.get(name.toLowerCase());
    headers.set(name.toLowerCase(), before === undefined ? value : `${before}, ${value}`);
  }
  const url = /^https?:\/\/([^/?#]*)([^#]*)/i.exec(options.target);
  const rest = url === null ? options.target : (url[2] ?? '');
  const target = url !== null && !rest.startsWith('/') ? `/${rest}` : rest;
  if (!target.startsWith('/') && target !== '*') {
    throw new CliError(
      Exit.usage,
      `${JSON.stringify(options.target)} is neither a path that begins with / nor a URL`,
    );
  }
  const mark = target.indexOf('?');
  return {
    direction: options.outbound === true ? 'outbound' : 'inbound',
    method: options.method,
    host: url?.[1] ?? headers.get('host') ?? '',
    path: mark === -1 ? target : target.slice(0, mark),
    query: mark === -1 ? '' : target.slice(mark + 1),
    headers,
    clientIdentity: options.clientIdentity ?? null,
    clientAddress: options.clientAddress ?? null,
    listener: options.listener,
  };
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
  for (const experiment of explanation.experiments) lines.push('', ...experimentLines(experiment));
  if (upstream !== null)
    lines.push('', line('goes to', `${upstream.name} (${upstream.endpoints.join(', ')})`));
  for (const [name, value] of Object.entries(explanation.forwarded))
    lines.push(line('with', `${name}: ${value}`));
  return `${lines.join('\n')}\n`;
}

function experimentLines(experiment: ExperimentExplanation): string[] {
  const { unit } = experiment;
  const lines = [line('experiment', experiment.experiment), ...experiment.steps.map((step) => `    ${step}`)];
  if (unit !== null) lines.push(`    unit from ${unit.source}: ${unit.value ?? `hash ${unit.hash}`}`);
  lines.push(
    `    -> ${experiment.assigned} (${experiment.reason}), upstream ${experiment.upstream}; breaker: ${experiment.breaker}`,
  );
  return lines;
}

function line(label: string, text: string): string {
  return `${label.padEnd(10)}  ${text}`;
}
