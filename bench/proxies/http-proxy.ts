/** The baseline people know: http-proxy 1.18 with a keep-alive agent. `node bench/proxies/http-proxy.ts PORT` */
import { Agent, createServer } from 'node:http';
import httpProxy from 'http-proxy';
import { split } from './split.ts';

const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
const proxy = httpProxy.createProxyServer({ agent, xfwd: true });
proxy.on('error', (_error: Error, _request: unknown, response: { writableEnded: boolean; end(): void }) => {
  if (!response.writableEnded) response.end();
});

createServer((request, response) => {
  const { variant, port } = split(request.headers['x-user-id'] as string | undefined);
  request.headers['x-experiment'] = `ranking=${variant}`;
  proxy.web(request, response, { target: { host: '127.0.0.1', port } });
}).listen(Number(process.argv[2]), '127.0.0.1');
