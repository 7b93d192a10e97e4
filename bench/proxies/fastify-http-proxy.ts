/** @fastify/http-proxy, the reverse proxy of the Fastify people. `node bench/proxies/fastify-http-proxy.ts PORT` */
import proxy from '@fastify/http-proxy';
import fastify from 'fastify';
import { split } from './split.ts';

const server = fastify({ logger: false, bodyLimit: Number.MAX_SAFE_INTEGER });
await server.register(proxy, {
  upstream: '',
  undici: { connections: 128, pipelining: 1 },
  replyOptions: {
    getUpstream: (request) =>
      `http://127.0.0.1:${split(request.headers['x-user-id'] as string | undefined).port}`,
    rewriteRequestHeaders: (request, headers) => ({
      ...headers,
      'x-experiment': `ranking=${split(request.headers['x-user-id'] as string | undefined).variant}`,
      'x-forwarded-for': request.socket.remoteAddress ?? '',
    }),
  },
});
await server.listen({ port: Number(process.argv[2]), host: '127.0.0.1' });
