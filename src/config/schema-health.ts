/** The part of the configuration schema that describes the health checks of an upstream. */
import { z } from 'zod';
import { found, positiveDuration, text } from './schema-values.ts';

const STATUS_RANGE = /^([1-5])xx$|^([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?$/;

/** `200`, `2xx` or `200-399` to the lowest and the highest of them. */
const statuses = z
  .union([z.int().min(100).max(599), z.string().regex(STATUS_RANGE)], {
    error: (issue) => `${found(issue.input)}; expected a status such as 200, 2xx or 200-399`,
  })
  .transform((value): readonly [number, number] => {
    const [, group, first, last = first] = STATUS_RANGE.exec(String(value)) ?? [];
    return group === undefined ? [Number(first), Number(last)] : [Number(`${group}00`), Number(`${group}99`)];
  })
  .refine(([lowest, highest]) => lowest <= highest, 'the first status of a range must be the lower one');

const http = z.strictObject({
  path: text(2048)
    .regex(/^\/[!-~]*$/, 'expected a path that begins with / and has no spaces, such as /health')
    .prefault('/')
    .describe('What is asked for.'),
  host: text(255)
    .regex(/^[A-Za-z0-9_.:[\]-]+$/, 'expected a host such as app.internal')
    .optional()
    .describe('The Host of the request. Default: the name or address of the endpoint.'),
  statuses: z
    .array(statuses)
    .min(1)
    .max(50)
    .prefault(['2xx', '3xx'])
    .describe('Statuses of one that is well.'),
});

export const healthSchema = z
  .strictObject({
    http: http
      .optional()
      .describe('Ask for a path. Without it, a connection (with TLS, and its handshake) is enough.'),
    port: z.int().min(1).max(65_535).optional().describe('Default: that of the endpoint.'),
    interval: positiveDuration()
      .prefault('5s')
      .describe('Between two checks of an endpoint, give or take a tenth.'),
    timeout: positiveDuration().prefault('1s').describe('For the whole of a check.'),
    rise: z
      .int()
      .min(1)
      .max(100)
      .prefault(2)
      .describe('Checks in a row that must pass before it is used again.'),
    fall: z
      .int()
      .min(1)
      .max(100)
      .prefault(3)
      .describe('Checks in a row that must fail before it is used no more.'),
  })
  .describe('Checks of each endpoint, of its own; one that fails them gets no requests. Default: none.');

export type HealthConfig = z.output<typeof healthSchema>;
