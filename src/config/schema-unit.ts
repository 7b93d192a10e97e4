/** The part of the configuration schema that says what is randomised. */
import { z } from 'zod';
import { parsePointer } from '../base/json-pointer.ts';
import { cookieName, found, headerName, text } from './schema-values.ts';

/** RFC 6901. */
export const claimPointer = () =>
  text(1024).refine((value) => parsePointer(value) !== null, {
    error: (issue) =>
      `${found(issue.input)}; expected a JSON pointer such as /sub, or /address/city for what is further down`,
  });

/** The name in `{name}` of a route's path. */
export const parameterName = () =>
  text(128).regex(/^[A-Za-z_][A-Za-z0-9_]*$/, {
    error: (issue) =>
      `${found(issue.input)}; expected the name of a path parameter, such as id of /users/{id}`,
  });

const prefixBits = (most: number) => z.int().min(1).max(most).prefault(most);

const clientAddress = z
  .union([
    z.literal(true),
    z.strictObject({
      v4: prefixBits(32).describe('Leading bits of an IPv4 address that count.'),
      v6: prefixBits(128).describe('Leading bits of an IPv6 address that count.'),
    }),
  ])
  .describe(
    'The address of the client, or so much of it; true: the whole. Changes as people move about, and is shared by those behind one router.',
  );

const unitSource = z
  .strictObject({
    header: headerName().optional().describe('The value of this request header.'),
    cookie: cookieName().optional().describe('The value of this cookie.'),
    query: text(128).optional().describe('The value of this query parameter.'),
    path: parameterName().optional().describe('What stands for {name} in the path of the route.'),
    claim: claimPointer()
      .optional()
      .describe('A claim of the verified token, as a JSON pointer: /sub. Needs identity.jwt.'),
    clientAddress: clientAddress.optional(),
    clientIdentity: z
      .literal(true)
      .optional()
      .describe('The identity in the client certificate: SPIFFE URI or common name.'),
    request: z.literal(true).optional().describe('A new unit for every request: nobody stays on a variant.'),
  })
  .superRefine((value, context) => {
    const given = Object.keys(value);
    if (given.length === 1) return;
    const what = given.length === 0 ? 'nothing' : given.join(' and ');
    context.addIssue({
      code: 'custom',
      message: `found ${what}; a unit source is exactly one of header, cookie, query, path, claim, clientAddress, clientIdentity, request`,
    });
  });

export const unitSchema = z
  .union([z.literal('request'), unitSource, z.array(unitSource).min(1).max(8)])
  .transform((value): UnitSourceConfig[] => {
    if (value === 'request') return [{ request: true }];
    return Array.isArray(value) ? value : [value];
  })
  .describe(
    'What is randomised: the first source that is present in the request. Default: the header x-user-id.',
  );

export type UnitSourceConfig = z.output<typeof unitSource>;
