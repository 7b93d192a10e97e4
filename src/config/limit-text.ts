/** Limits of a breaker as people write them: `5%`, `300ms`, or against the control: `2 x control + 1%`. Pure. */
import { type Parsed, parseDuration, parsePercent } from './units.ts';

/** `factor` times what the control has, and `plus`: parts per million of a rate, milliseconds of a latency. */
export interface RelativeLimit {
  readonly factor: number;
  readonly plus: number;
}

export type Limit = number | RelativeLimit;

const NUMBER = '[0-9]+(?:\\.[0-9]+)?';
const RELATIVE = new RegExp(`^(?:(${NUMBER}) *[x×*] *)?control(?: *\\+ *(.+))?$`);

/** For the JSON Schema; the readers below are stricter. */
export const RATE_LIMIT_PATTERN = `^(${NUMBER}%|(${NUMBER} *[x×*] *)?control( *\\+ *${NUMBER}%)?)$`;
export const LATENCY_LIMIT_PATTERN = `^((${NUMBER}(ms|s|m|h|d))+|(${NUMBER} *[x×*] *)?control( *\\+ *(${NUMBER}(ms|s|m))+)?)$`;

/** A thousand times the control's is no limit. */
const FACTOR_MAX = 1000;

/** `5%`, `control + 1%`, `2 x control`, `2 x control + 1%`; rates are in parts per million and above 0. */
export function parseRateLimit(text: string): Parsed<Limit> {
  return parseLimit(text, parsePercent, 'control + 1%');
}

/** `300ms`, `control + 50ms`, `1.3 x control`; in milliseconds above 0. */
export function parseLatencyLimit(text: string): Parsed<Limit> {
  return parseLimit(text, parseDuration, 'control + 50ms');
}

function parseLimit(text: string, parse: (text: string) => Parsed<number>, sum: string): Parsed<Limit> {
  if (!/[a-z]{5}/i.test(text)) return aboveZero(text, parse(text));
  const match = RELATIVE.exec(text);
  if (match === null)
    return problem(
      `${JSON.stringify(text.slice(0, 60))} compares with nothing; write ${sum}, 1.3 x control or both, where control is the fallback variant whatever its name`,
    );
  const [, times = '1', plus] = match;
  const factor = Number(times);
  if (factor < 1 || factor > FACTOR_MAX)
    return problem(`found ${times} x control; expected from 1 to ${FACTOR_MAX}`);
  if (plus === undefined) {
    const isBare = match[1] === undefined;
    return isBare
      ? problem(`found control alone; write by how much it may be worse: ${sum}, or 1.3 x control`)
      : { ok: true, value: { factor, plus: 0 } };
  }
  const more = aboveZero(plus, parse(plus));
  return more.ok ? { ok: true, value: { factor, plus: more.value } } : more;
}

function aboveZero(text: string, parsed: Parsed<number>): Parsed<number> {
  return parsed.ok && parsed.value === 0 ? problem(`found ${text}; it must be more than ${text}`) : parsed;
}

function problem(text: string): { ok: false; problem: string } {
  return { ok: false, problem: text };
}
