/** The part of the configuration schema that describes mirroring: what is sent to the candidate as well, and compared. */
import { z } from 'zod';
import { parsePointer } from '../base/json-pointer.ts';
import { parseRate, RATE_PATTERN } from './rate.ts';
import {
  headerName,
  method,
  name,
  positiveDuration,
  positivePercent,
  readString,
  size,
  text,
  VARIANT_HELP,
  VARIANT_PATTERN,
} from './schema-values.ts';

/** In flight, of one experiment: each is three requests. */
const CONCURRENCY_MAX = 100;
const NAMES_MAX = 100;
const MIB = 1024 * 1024;

/** A pointer to its steps. */
const pattern = () =>
  readString(
    (value) => {
      const steps = parsePointer(value);
      return steps === null
        ? {
            ok: false,
            problem: `${JSON.stringify(value)} is no JSON pointer; write /items/0/price, or * for any step`,
          }
        : { ok: true, value: steps };
    },
    'a JSON pointer such as /meta/took',
    '^/',
  );

const methods = () => z.array(method()).min(1).max(20);
const headers = () => z.array(headerName()).max(NAMES_MAX);

export const mirrorSchema = z.strictObject({
  share: positivePercent().describe(
    'Of the requests that come to the experiment, so many are sent once more to the candidate and twice more to control.',
  ),
  of: name(VARIANT_PATTERN, VARIANT_HELP)
    .optional()
    .describe('The variant that is tried. Default: the only one beside the fallback.'),
  methods: methods()
    .optional()
    .describe(
      'Of GET, HEAD and OPTIONS those that are mirrored. Default: GET and HEAD. Others need a contract.',
    ),
  contract: z
    .strictObject({
      methods: methods().describe('Mirrored as well, though they may change something: POST.'),
      reason: text(1000).describe('Why doing it three more times does no harm.'),
      approvedBy: text(200).describe('Who has agreed.'),
    })
    .optional()
    .describe('Needed for methods that change something. Each is done three more times.'),
  concurrency: z
    .int()
    .min(1)
    .max(CONCURRENCY_MAX)
    .prefault(4)
    .describe('Mirrored requests under way at one time; more are not mirrored. Each is three.'),
  rate: readString(parseRate, 'a rate such as 10/s or 600/m', RATE_PATTERN)
    .prefault('10/s')
    .describe('Mirrored requests per s, m, h or d; more are not mirrored.'),
  timeout: positiveDuration().prefault('5s').describe('Of each; what takes longer has not answered.'),
  bodyMax: size(1024, MIB)
    .prefault('64KiB')
    .describe('Bodies up to this are looked into; of longer ones the length and a hash are compared.'),
  compare: z
    .strictObject({
      headers: headers()
        .optional()
        .describe(
          'Only these fields of answers are compared. Default: all but those that say when and by whom.',
        ),
      ignoreHeaders: headers().prefault([]).describe('These are not.'),
      ignorePaths: z
        .array(pattern())
        .max(NAMES_MAX)
        .prefault([])
        .describe('Places in JSON that are not compared, with all below them: /meta/took, /items/*/id.'),
    })
    .prefault({})
    .describe('Which fields and places of answers are compared.'),
  samples: z
    .boolean()
    .prefault(false)
    .describe('true: keep the last ten values that differ. They may be anything that your answers hold.'),
});

export type MirrorConfig = z.output<typeof mirrorSchema>;
