/** Cuts what an upstream sends into response heads: any number of 1xx, then the final one. Bounded in both. */
import { Framing, responseFraming } from '../http1/framing.ts';
import type { Head } from '../http1/head.ts';
import { type HeadLimits, parseResponseHead } from '../http1/head.ts';
import { NO_INTAKE, ownIntake } from './intake.ts';

/** 1xx responses before the final one: more is an upstream that never answers. */
const INFORMATIONAL_MAX = 32;

/** Of what is informational, which is looked at for its failures only. */
const framing = new Framing();

/** Who reads: the exchange. `head` and `bytes` are valid during the call only. */
export interface ResponseHandler {
  /** A 1xx other than 101. */
  informational(head: Head): void;
  /** The final head; its body begins at bytes[at], as far as it is here: up to `end`. */
  begin(head: Head, bytes: Buffer, at: number, end: number): void;
  malformed(detail: string): void;
}

export class ResponseReader {
  readonly #handler: ResponseHandler;
  readonly #head: Head;
  #intake = NO_INTAKE;
  #informational = 0;

  /** `head` may be shared with other readers. */
  constructor(head: Head, handler: ResponseHandler) {
    this.#head = head;
    this.#handler = handler;
  }

  reset(): void {
    if (this.#intake.length > 0) this.#intake.clear();
    this.#informational = 0;
  }

  /** Bytes [0, length) came in, before or within a head. */
  read(bytes: Buffer, length: number, limits: HeadLimits): void {
    const intake = this.#intake;
    if (intake.length === 0) return this.#parse(bytes, 0, length, limits);
    const hasLine = intake.append(bytes, 0, length);
    if (hasLine || intake.length >= limits.headMaxBytes)
      this.#parse(intake.bytes, intake.start, intake.end, limits);
  }

  #parse(bytes: Buffer, start: number, end: number, limits: HeadLimits): void {
    const head = this.#head;
    let at = start;
    while (at < end) {
      const after = parseResponseHead(head, bytes, at, end, limits);
      if (after === 0) break;
      if (after < 0) return this.#handler.malformed(head.failureDetail);
      at = after;
      if (head.status >= 200 || head.status === 101) return this.#handler.begin(head, bytes, at, end);
      this.#informational++;
      if (this.#informational > INFORMATIONAL_MAX) {
        return this.#handler.malformed(`More than ${INFORMATIONAL_MAX} informational responses.`);
      }
      if (!responseFraming(head, '', framing)) return this.#handler.malformed(framing.failureDetail);
      this.#handler.informational(head);
    }
    if (bytes === this.#intake.bytes) this.#intake.consumeTo(at);
    else if (at < end) {
      this.#intake = ownIntake(this.#intake);
      this.#intake.append(bytes, at, end);
    }
  }
}
