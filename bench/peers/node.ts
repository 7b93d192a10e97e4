/** The proxies on node:http that people would otherwise write or install; programs in bench/proxies/. */
import { join } from 'node:path';
import { BENCH, nextPort } from '../support/rig.ts';
import type { Candidate } from './candidate.ts';

/** What an engineer writes on undici's `dispatch`. */
export const undici = (): Candidate => program('undici', 'undici.ts');

export const httpProxy = (): Candidate => program('http-proxy', 'http-proxy.ts');

export const fastifyHttpProxy = (): Candidate => program('@fastify/http-proxy', 'fastify-http-proxy.ts');

function program(name: string, file: string): Candidate {
  const port = nextPort();
  return {
    name,
    port,
    command: [process.execPath, join(BENCH, 'proxies', file), String(port)],
    env: { NODE_ENV: 'production' },
    isSlow: true,
  };
}
