/** The shape of what connects an experiment with other tools: Envoy's weighted clusters, routing keys. */
import { z } from 'zod';
import { ROUTING_KEY_KINDS } from '../experiment/routing-key.ts';
import {
  headerName,
  TOKEN,
  text,
  VARIANT_HELP,
  VARIANT_PATTERN,
  name as variantNamed,
} from './schema-values.ts';

const KEYS_MAX = 1000;

const routingKey = z
  .strictObject({
    kind: z.enum(ROUTING_KEY_KINDS).describe('The tool, or header or baggage for one of your own.'),
    name: text(128)
      .regex(TOKEN, 'expected the name of a header or of a member of the baggage')
      .optional()
      .describe('Of the header or the baggage member. The tools have names of their own.'),
    map: z
      .record(text(256), variantNamed(VARIANT_PATTERN, VARIANT_HELP))
      .describe('The variant for each key.'),
  })
  .superRefine(({ kind, name, map }, context) => {
    if ((kind === 'header' || kind === 'baggage') && name === undefined)
      context.addIssue({ code: 'custom', message: `a key in the ${kind} needs the name of it` });
    const count = Object.keys(map).length;
    if (count === 0 || count > KEYS_MAX)
      context.addIssue({ code: 'custom', message: `found ${count} keys in map; expected 1 to ${KEYS_MAX}` });
  });

/** Keys of an experiment. */
export const bridgeFields = {
  excludedVariant: variantNamed(VARIANT_PATTERN, VARIANT_HELP)
    .optional()
    .describe('What health checks, synthetic traffic and bots get. Default: the fallback.'),
  bucketHeader: headerName()
    .optional()
    .describe(
      'The header that tells the upstream the bucket of the unit, so that the header_name of weighted clusters of Envoy picks the same variant.',
    ),
  routingKeys: z
    .array(routingKey)
    .max(20)
    .prefault([])
    .describe('Routing keys of Okteto, Signadot, Telepresence or your own, read as overrides.'),
};

export type RoutingKeyConfig = z.output<typeof routingKey>;
