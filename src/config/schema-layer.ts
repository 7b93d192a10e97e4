/**
 * The shape of layers and holdouts: what is kept out of experiments, and which part of a layer is whose.
 */
import { z } from 'zod';
import type { LayerRange } from '../experiment/layer.ts';
import { NAME_HELP, NAME_PATTERN, name, positivePercent, readString, text } from './schema-values.ts';
import { type Parsed, parsePercent } from './units.ts';

const RANGE_PATTERN = '^[0-9]+(\\.[0-9]{1,4})?%\\s*-\\s*[0-9]+(\\.[0-9]{1,4})?%$';

const layerName = () => name(NAME_PATTERN, NAME_HELP);
// A NUL ends the salt in the key that is hashed.
const salt = () => text(200).regex(/^[^\0]*$/, 'found a text with a NUL in it; a salt has none');

/** `0%-40%` -> slots 0 to 400,000, the last not included. */
export function parseRange(range: string): Parsed<LayerRange> {
  const [from = '', to = '', ...more] = range.split('-').map((part) => part.trim());
  if (to === '' || more.length > 0)
    return {
      ok: false,
      problem: `${JSON.stringify(range.slice(0, 60))} is not a range; write for example 0%-40%`,
    };
  const start = parsePercent(from);
  const end = parsePercent(to);
  if (!start.ok) return start;
  if (!end.ok) return end;
  if (start.value >= end.value)
    return {
      ok: false,
      problem: `${JSON.stringify(range)} is empty; the first percentage must be the smaller one`,
    };
  return { ok: true, value: { start: start.value, end: end.value } };
}

const range = () => readString(parseRange, 'a range such as 0%-40%', RANGE_PATTERN);

/** Keys of an experiment. */
export const layerFields = {
  layer: layerName().optional().describe('Shares no unit with the other experiments of this layer.'),
  range: z
    .union([range(), z.array(range()).min(1).max(100)])
    .transform((value): LayerRange[] => (Array.isArray(value) ? value : [value]))
    .optional()
    .describe('Which part of the layer it has, such as 0%-40%, or several parts.'),
};

export const holdoutSchema = z
  .strictObject({
    share: positivePercent().describe('Share of all units.'),
    salt: salt().optional().describe('Key of the hash: a new salt holds out others. Default: holdout.'),
  })
  .describe('Units that get the fallback in every experiment.');

export const layersSchema = z
  .record(
    layerName(),
    z
      .strictObject({
        salt: salt()
          .optional()
          .describe('Key of the hash: a new salt deals everyone anew. Default: the name.'),
        holdout: positivePercent()
          .optional()
          .describe('Share of units that get the fallback in all its experiments.'),
      })
      .nullable()
      .transform((value) => value ?? {}),
  )
  .describe('Groups of experiments that share no unit, by name.');
