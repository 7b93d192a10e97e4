/** `GET /v1/approvals`, and `POST /v1/approvals/ID:approve` and `:cancel`. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Approvals } from './approvals.ts';
import { readBody, reasonBody, reasonField } from './body.ts';
import { AdminError } from './problem.ts';
import { resource } from './resource.ts';

const approveBody = z.strictObject({ digest: z.string().min(1).max(64), reason: reasonField });

/** Adds the resources. */
export function addApprovals(app: FastifyInstance, approvals: Approvals): void {
  resource(app, '/v1/approvals', {
    GET: (_request, reply) => reply.send({ approvals: approvals.list() }),
  });
  resource(app, '/v1/approvals/*', {
    GET: (request, reply) => reply.send(approvals.get(restOf(request.params))),
    POST: async (request, reply) => {
      const [id = '', verb] = restOf(request.params).split(':');
      switch (verb) {
        case 'approve':
          return reply.send(await approvals.approve(id, request, readBody(request, approveBody)));
        case 'cancel':
          return reply.send({
            cancelled: approvals.cancel(id, request, readBody(request, reasonBody).reason),
          });
        default:
          throw new AdminError('not_found', 'There is no such resource.', {
            hint: 'use :approve or :cancel',
          });
      }
    },
  });
}

function restOf(params: unknown): string {
  return (params as { '*': string })['*'];
}
