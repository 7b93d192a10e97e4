/** TLS in tests of the request path: certificates in a folder of their own, clients, and what a listener counted. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll } from 'vitest';
import { Authority, type Issued } from './certificates.ts';
import type { TestPlane } from './plane.ts';
import type { Rig } from './rig.ts';
import { hasTools } from './tools.ts';

export const hasOpenssl = hasTools('openssl');

export interface Certificates {
  readonly folder: string;
  /** Signs servers, and what `server` is signed with. */
  readonly authority: Authority;
  /** For localhost and 127.0.0.1. */
  readonly server: Issued;
}

/** Call it once per test file, at the top; what it answers is there once the tests run. */
export function useCertificates(): Certificates {
  const made = { folder: '', authority: null as Authority | null, server: null as Issued | null };
  beforeAll(() => {
    made.folder = mkdtempSync(join(tmpdir(), 'fairlead-tls-'));
    if (!hasOpenssl) return;
    made.authority = new Authority(made.folder);
    made.server = made.authority.issue('server');
  });
  afterAll(() => rmSync(made.folder, { recursive: true }));
  return made as Certificates;
}

/** A TLS client that trusts `authority`, closed with the rest; 'error' is listened to. */
export function tlsSocket(
  rig: Rig,
  port: number,
  authority: Authority,
  options: ConnectionOptions & { readonly localAddress?: string } = {},
): TLSSocket {
  // The types leave out that it takes this, which the documentation does not.
  const open: ConnectionOptions & { allowHalfOpen: boolean } = {
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: authority.pem,
    allowHalfOpen: true,
    ...options,
  };
  const socket = connect(open);
  socket.on('error', () => {});
  rig.also(() => socket.destroy());
  return socket;
}

/** One listener with these settings, as `settings` of `rig.plane`. */
export function tlsListener(tls: object, more: object = {}): { listeners: object[] } {
  return { listeners: [{ name: 'inbound', address: '127.0.0.1:0', tls, ...more }] };
}

/** How many handshakes failed for this reason. */
export function handshakeFailures({ plane }: TestPlane, reason: string): number {
  return plane.metrics.connections.handshakeFailures('inbound', reason).value;
}

/**
 * Runs a program with this on its standard input; answers everything it printed, whatever its exit code. `heard` is told
 * everything so far, each time that there is more.
 */
export function run(
  program: string,
  args: readonly string[],
  input = '',
  heard: (output: string) => void = () => {},
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'pipe' });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
      heard(output);
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    child.stdin.on('error', () => {});
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
    child.stdin.end(input);
  });
}
