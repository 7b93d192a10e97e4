/**
 * Server-sent events of a running sidecar, one after the other, until it ends the stream or the signal says so. Never
 * connects again by itself: what was missed would be missed without a word.
 */
import { Agent, request } from 'undici';
import {
  type AdminTarget,
  authorization,
  believe,
  DEADLINE_MS,
  identify,
  parseAdmin,
  readAnswer,
  unreachable,
} from './admin-client.ts';
import { CliError, Exit, type Io } from './io.ts';

/** One event; `data` is JSON as the admin API has it. */
export interface StreamEvent {
  readonly event: string;
  readonly data: string;
}

/** Three heartbeats that did not come: nobody is there any more. */
const SILENCE_MAX_MS = 45_000;
/** An event of the admin API is a line of a few kilobytes; stats of 200 experiments are the largest. */
const EVENT_MAX_CHARACTERS = 4 * 1024 * 1024;

export interface StreamOptions {
  readonly env: Io['env'];
  readonly signal: AbortSignal;
}

/** Ends without an error when the signal or the sidecar ends it. @throws CliError with the exit code that goes with it */
export async function* adminStream(
  target: AdminTarget,
  path: string,
  { env, signal }: StreamOptions,
): AsyncGenerator<StreamEvent> {
  const { origin, socketPath } = parseAdmin(target.admin);
  const connect = socketPath === null ? { timeout: DEADLINE_MS } : { socketPath, timeout: DEADLINE_MS };
  const agent = new Agent({
    connect,
    pipelining: 0,
    headersTimeout: DEADLINE_MS,
    bodyTimeout: SILENCE_MAX_MS,
  });
  try {
    const headers = { accept: 'text/event-stream', ...authorization(target, env) };
    await identify(target, headers);
    const answer = await request(`${origin}${path}`, { method: 'GET', headers, signal, dispatcher: agent });
    believe(target, answer);
    const type = String(answer.headers['content-type'] ?? '');
    if (answer.statusCode !== 200 || !type.startsWith('text/event-stream')) {
      readAnswer(target, answer.statusCode, await answer.body.text());
      throw new CliError(
        Exit.adminUnreachable,
        `what answers at ${target.admin}${path} is no stream of events`,
      );
    }
    const decoder = new TextDecoder();
    const events = new EventReader();
    for await (const chunk of answer.body) yield* events.read(decoder.decode(chunk, { stream: true }));
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof CliError) throw error;
    throw unreachable(target, error);
  } finally {
    await agent.destroy();
  }
}

/** Takes text as it comes, cut anywhere, and gives the events in it, as the HTML standard has them. Comments are left out. */
export class EventReader {
  #text = '';
  #event = '';
  #data: string[] = [];
  #characters = 0;

  /** @throws CliError when an event is larger than any of the admin API is */
  *read(text: string): Generator<StreamEvent> {
    this.#text += text;
    for (;;) {
      const end = this.#text.search(/[\r\n]/);
      // A "\r" at the end may be the first half of a "\r\n".
      if (end < 0 || (this.#text[end] === '\r' && end === this.#text.length - 1)) break;
      const line = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + (this.#text.startsWith('\r\n', end) ? 2 : 1));
      if (line === '') yield* this.#dispatch();
      else this.#take(line);
    }
    if (this.#characters + this.#text.length > EVENT_MAX_CHARACTERS)
      throw new CliError(Exit.internal, `an event is larger than ${EVENT_MAX_CHARACTERS} characters`);
  }

  #take(line: string): void {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    if (name === 'event') this.#event = value;
    if (name !== 'data') return;
    this.#data.push(value);
    this.#characters += value.length;
  }

  *#dispatch(): Generator<StreamEvent> {
    const [event, data] = [this.#event, this.#data];
    this.#event = '';
    this.#data = [];
    this.#characters = 0;
    if (data.length > 0) yield { event: event === '' ? 'message' : event, data: data.join('\n') };
  }
}
