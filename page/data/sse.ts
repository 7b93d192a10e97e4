/**
 * Server-sent events, taken apart as the text comes in (WHATWG HTML, 9.2.6): any cut gives the same events. Ids and
 * `retry` are not used here and left out. Pure.
 */

/** A line or an event that is longer is a broken stream. In characters. */
const PENDING_MAX = 4 * 1024 * 1024;

export interface ServerEvent {
  readonly name: string;
  readonly data: string;
}

export class EventReader {
  #pending = '';
  #name = '';
  #data: string[] = [];
  #size = 0;

  /** The events that are complete with this piece of text. @throws RangeError when an event is too long */
  push(text: string): ServerEvent[] {
    const lines = (this.#pending + text).split(/\r\n|\n|\r(?!$)/);
    this.#pending = lines.pop() ?? '';
    if (this.#pending.length + this.#size > PENDING_MAX) throw new RangeError('an event is too long');
    return lines.flatMap((line) => this.#line(line) ?? []);
  }

  #line(line: string): ServerEvent | null {
    if (line === '') return this.#end();
    const colon = line.indexOf(':');
    if (colon === 0) return null;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#name = value;
    if (field === 'data') {
      this.#data.push(value);
      this.#size += value.length;
    }
    return null;
  }

  #end(): ServerEvent | null {
    const event =
      this.#data.length === 0
        ? null
        : { name: this.#name === '' ? 'message' : this.#name, data: this.#data.join('\n') };
    this.#name = '';
    this.#data = [];
    this.#size = 0;
    return event;
  }
}
