/**
 * `POST /v1/explain`: which variant a described request would get, and every step of why, with the rules and breakers
 * of now. Changes nothing, and yet needs the token: who may ask about any unit could find out whose hash is whose.
 */
import { isIP } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { TOKEN } from '../config/schema-values.ts';
import { readBody } from './body.ts';
import type { ControlPort, DataPlaneView, Explain } from './ports.ts';
import { AdminError } from './problem.ts';
import { resource } from './resource.ts';

/** A head is not larger. */
const BODY_MAX_BYTES = 512 * 1024;

const text = () => z.string().max(65_536);
const bodySchema = z.strictObject({
  direction: z.enum(['inbound', 'outbound']).default('inbound'),
  method: text().regex(TOKEN, 'expected a method such as GET').default('GET'),
  host: text().default(''),
  path: text().default('/'),
  query: text().default(''),
  headers: z.record(z.string().regex(/^[^A-Z]*$/, 'expected lower case'), text()).default({}),
  clientIdentity: text().nullable().default(null),
  clientAddress: text()
    .refine((address) => isIP(address) !== 0, 'expected an IP address')
    .nullable()
    .default(null),
  listener: text().optional(),
  showUnit: z.boolean().default(false),
});

export function addExplain(
  app: FastifyInstance,
  {
    control,
    dataPlane,
    explain,
  }: {
    readonly control: Pick<ControlPort, 'snapshot'>;
    readonly dataPlane: Pick<DataPlaneView, 'isOpen' | 'refresh'>;
    readonly explain: Explain;
  },
): void {
  resource(
    app,
    '/v1/explain',
    {
      POST: async (request, reply) => {
        const body = readBody(request, bodySchema);
        await dataPlane.refresh?.();
        const { snapshot } = control;
        const { listener } = body;
        if (listener !== undefined && !snapshot.listeners.some(({ name }) => name === listener))
          throw new AdminError('request_invalid', `There is no listener ${JSON.stringify(listener)}.`, {
            path: 'listener',
          });
        return reply.send(explain(body, snapshot, (breaker) => dataPlane.isOpen(breaker)));
      },
    },
    { bodyLimit: BODY_MAX_BYTES },
  );
}
