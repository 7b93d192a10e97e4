/** The part of http-proxy 1.18 that the benchmark uses; its types are a package of their own. */
declare module 'http-proxy' {
  import type { Agent, IncomingMessage, ServerResponse } from 'node:http';

  interface ProxyServer {
    web(
      request: IncomingMessage,
      response: ServerResponse,
      options: { target: { host: string; port: number } },
    ): void;
    on(
      event: 'error',
      listener: (error: Error, request: IncomingMessage, response: ServerResponse) => void,
    ): void;
  }
  const library: { createProxyServer(options: { agent: Agent; xfwd: boolean }): ProxyServer };
  export default library;
}
