/**
 * A resource with the methods it has; every other method on it is 405 with `Allow`, and not the 404 that a
 * router would make of it, since a GET on a change must say what is wrong. Never answers anything itself.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify';
import { AdminError } from './problem.ts';

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
type Method = (typeof METHODS)[number];

/** Registers `handlers` on a URL. HEAD comes with GET. `bodyLimit` in bytes, for other than the server's. */
export function resource(
  app: FastifyInstance,
  url: string,
  handlers: Partial<Record<Method, RouteHandlerMethod>>,
  limits: { readonly bodyLimit?: number } = {},
): void {
  const others: Method[] = [];
  for (const method of METHODS) {
    const handler = handlers[method];
    if (handler === undefined) others.push(method);
    else app.route({ method, url, handler, ...limits });
  }
  const allow = METHODS.filter((method) => handlers[method] !== undefined);
  app.route({
    method: others,
    url,
    ...limits,
    handler: (request, reply) => refuseMethod(request, reply, allow),
  });
}

/** @throws AdminError always: 405 with the methods that are allowed. */
export function refuseMethod(request: FastifyRequest, reply: FastifyReply, allow: readonly string[]): never {
  reply.header('allow', allow.join(', '));
  throw new AdminError('method_not_allowed', `${request.method} is not allowed here.`, {
    hint: `use ${allow.join(' or ')}`,
  });
}
