/**
 * What was asked of a request while an experiment was decided, and the answers: enough to decide it again when the
 * request is gone. Pure. For records that may hold what requests say, which is not the usual case.
 */
import type { Claim, RequestAttributes } from './model.ts';

/** By question: `header x-user-id`, `cookie plan`, `claim /sub`, `path`. */
export type Asked = Record<string, string | Claim | null>;

/** Of these the answer is a secret, whoever asks. */
const SECRET_FIELDS: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'x-api-key',
  'x-auth-token',
]);

/** Longer answers are not kept; a unit or a plan is far shorter. */
const ANSWER_MAX_CHARS = 1024;

/** A request that remembers what it was asked. */
export class Asking implements RequestAttributes {
  readonly asked: Asked = {};
  /** There was an answer that may not be kept: without it the rest decides nothing. */
  isWithheld = false;
  readonly #request: RequestAttributes;

  constructor(request: RequestAttributes) {
    this.#request = request;
  }

  get method(): string {
    return this.#keep('method', this.#request.method) ?? '';
  }

  get path(): string {
    return this.#keep('path', this.#request.path) ?? '';
  }

  get clientIdentity(): string | null {
    return this.#keep('client identity', this.#request.clientIdentity);
  }

  get clientAddress(): string | null {
    return this.#keep('client address', this.#request.clientAddress);
  }

  header(name: string): string | null {
    const value = this.#request.header(name);
    if (SECRET_FIELDS.has(name) && value !== null) {
      this.isWithheld = true;
      return value;
    }
    return this.#keep(`header ${name}`, value);
  }

  cookie(name: string): string | null {
    return this.#keep(`cookie ${name}`, this.#request.cookie(name));
  }

  query(name: string): string | null {
    return this.#keep(`query ${name}`, this.#request.query(name));
  }

  pathParameter(name: string): string | null {
    return this.#keep(`path parameter ${name}`, this.#request.pathParameter(name));
  }

  claim(pointer: string): Claim | null {
    const claim = this.#request.claim(pointer);
    if (typeof claim?.value === 'string' && claim.value.length > ANSWER_MAX_CHARS) this.isWithheld = true;
    else
      this.asked[`claim ${pointer}`] =
        claim === null ? null : { value: claim.value, isVerified: claim.isVerified };
    return claim;
  }

  #keep(question: string, value: string | null): string | null {
    if (value !== null && value.length > ANSWER_MAX_CHARS) this.isWithheld = true;
    else this.asked[question] = value;
    return value;
  }
}

/** A question that the record has no answer to. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered';
}

/** A request that is gone, as far as it was asked. Every getter throws Unanswered for what it was not. */
export class Answering implements RequestAttributes {
  readonly #asked: Readonly<Asked>;

  constructor(asked: Readonly<Asked>) {
    this.#asked = asked;
  }

  get method(): string {
    return this.#text('method') ?? '';
  }

  get path(): string {
    return this.#text('path') ?? '';
  }

  get clientIdentity(): string | null {
    return this.#text('client identity');
  }

  get clientAddress(): string | null {
    return this.#text('client address');
  }

  header(name: string): string | null {
    return this.#text(`header ${name}`);
  }

  cookie(name: string): string | null {
    return this.#text(`cookie ${name}`);
  }

  query(name: string): string | null {
    return this.#text(`query ${name}`);
  }

  pathParameter(name: string): string | null {
    return this.#text(`path parameter ${name}`);
  }

  claim(pointer: string): Claim | null {
    const answer = this.#answer(`claim ${pointer}`);
    if (answer === null) return null;
    if (typeof answer === 'string') throw new Unanswered(`claim ${pointer} is no claim`);
    return answer;
  }

  #text(question: string): string | null {
    const answer = this.#answer(question);
    if (answer !== null && typeof answer !== 'string') throw new Unanswered(`${question} is no text`);
    return answer;
  }

  #answer(question: string): string | Claim | null {
    const answer = Object.hasOwn(this.#asked, question) ? this.#asked[question] : undefined;
    if (answer === undefined) throw new Unanswered(`the record does not say what ${question} was`);
    return answer;
  }
}
