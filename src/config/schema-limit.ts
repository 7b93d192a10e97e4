/** The kinds of limits that a breaker has, as zod schemas: of their own, against the control, or one of each. */
import { z } from 'zod';
import {
  LATENCY_LIMIT_PATTERN,
  type Limit,
  parseLatencyLimit,
  parseRateLimit,
  RATE_LIMIT_PATTERN,
} from './limit-text.ts';
import { readString } from './schema-values.ts';
import { parsePercent } from './units.ts';

const rate = () =>
  readString<Limit>(parseRateLimit, 'a percentage such as 5%, or control + 1%', RATE_LIMIT_PATTERN);

const latency = () =>
  readString<Limit>(parseLatencyLimit, 'a duration such as 300ms, or 1.3 x control', LATENCY_LIMIT_PATTERN);

/** One limit, or a list of one of its own and one against the control. */
function oneOrBoth(limit: ReturnType<typeof rate>) {
  const isOneOfEach = (limits: readonly Limit[]): boolean =>
    limits.filter((one) => typeof one === 'number').length <= 1 &&
    limits.filter((one) => typeof one !== 'number').length <= 1;
  const both = z
    .array(limit)
    .min(1)
    .max(2)
    .refine(isOneOfEach, 'found two limits of one kind; a list has one of its own and one against control');
  return z.union([limit, both]);
}

/** Parts per million. */
export const rateLimits = () => oneOrBoth(rate());

/** Milliseconds. */
export const latencyLimits = () => oneOrBoth(latency());

const CONFIDENCE_MIN_PPM = 900_000;
const CONFIDENCE_MAX_PPM = 999_999;

/** `99.999%` -> 999990 ppm. */
export const confidence = () =>
  readString(
    (text) => {
      const result = parsePercent(text);
      if (!result.ok || (result.value >= CONFIDENCE_MIN_PPM && result.value <= CONFIDENCE_MAX_PPM))
        return result;
      return { ok: false, problem: `found ${text}; expected from 90% to 99.9999%` };
    },
    'a percentage such as 99.999%',
    '^9[0-9](\\.[0-9]{1,4})?%$',
  );
