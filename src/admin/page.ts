/**
 * The page for people, on `/` of the admin port: static files that hold no data. What it shows it asks of `/v1` like any
 * other client, and what it may do there is up to the token that a person gives it.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { PageFile } from './page-files.ts';
import { resource } from './resource.ts';

/** Nothing from elsewhere, nothing inline, in nobody's frame. uPlot and Preact set styles by the DOM, which this allows. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

const NOT_BUILT = `The page is not built. In a checkout: npm run build:page, then start again.
Everything else is here: docs/admin-api.md lists it, and so does npx fairlead --help.
`;

/** Adds `/` and its assets. @param files Null: it has not been built, and `/` says so. */
export function addPage(app: FastifyInstance, files: readonly PageFile[] | null): void {
  if (files === null) {
    const sayNot = (_request: FastifyRequest, reply: FastifyReply) =>
      reply.code(503).header('content-type', 'text/plain; charset=utf-8').send(NOT_BUILT);
    resource(app, '/', { GET: sayNot });
    return;
  }
  for (const file of files) resource(app, file.url, { GET: (request, reply) => serve(file, request, reply) });
}

function serve(file: PageFile, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { type, etag, isImmutable, body } = file;
  reply
    .header('etag', etag)
    .header('cache-control', isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache')
    .header('content-security-policy', POLICY)
    .header('x-content-type-options', 'nosniff')
    .header('referrer-policy', 'no-referrer')
    .header('cross-origin-opener-policy', 'same-origin')
    .header('cross-origin-resource-policy', 'same-origin');
  const known = request.headers['if-none-match'];
  if (known?.split(',').some((tag) => tag.trim() === etag)) return reply.code(304).send();
  return reply.header('content-type', type).send(body);
}
