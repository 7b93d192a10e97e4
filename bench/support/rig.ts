/**
 * What all questions share: a scratch folder that goes away at exit, ports, and the two upstreams. Those are one
 * nginx that answers from its configuration, so that it is never what is measured.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { CANDIDATE_PORT, CONTROL_PORT } from '../proxies/split.ts';
import { type Started, start } from './processes.ts';

export const ROOT = join(import.meta.dirname, '../..');
export const BENCH = join(ROOT, 'bench');

export const PROXY_CORE = 0;
export const PROXY_CORES = '0';
export const LOAD_CORES = '1';
/** For questions with two workers; with fewer than four cores they share theirs with the load. */
export const TWO_PROXY_CORES = '0,1';
export const TWO_LOAD_CORES = cpus().length >= 4 ? '2,3' : '0,1';

const scratch = mkdtempSync(join(tmpdir(), 'fairlead-bench-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

/** A path in the scratch folder; a candidate's name may have spaces, which few configuration files like. */
export function scratchFile(name: string): string {
  return join(scratch, name.replaceAll(/[^\w./-]+/g, '-'));
}

/** Writes a file of the scratch folder; answers its path. */
export function writeScratch(name: string, text: string): string {
  const file = scratchFile(name);
  writeFileSync(file, text);
  return file;
}

const FIRST_PORT = 9500;
const PORTS_EACH = 4;
let places = 0;

/** The next ports that nobody here has: the first is where the proxy listens, the others are for its admin. */
export function nextPort(): number {
  return FIRST_PORT + PORTS_EACH * places++;
}

/** Where the upstreams listen as well, for proxies that go there by a UNIX socket. */
export const CONTROL_SOCKET = scratchFile('v1.sock');
export const CANDIDATE_SOCKET = scratchFile('v2.sock');

/** Bodies that the upstreams have under /files/. */
export const FILES = { '16k': 16 * 1024, '1m': 1024 * 1024, '100m': 100 * 1024 * 1024 } as const;

const ANSWER =
  '{"service":"bench","items":[1,2,3,4,5,6,7,8],"message":"one hundred bytes of an answer, as measured"}';

/** Writes an nginx configuration with the benchmark's upstream on these addresses; answers its path. */
export function writeResponder(name: string, addresses: readonly string[]): string {
  const sockets = [...addresses, `unix:${scratchFile(`${name}-answer.sock`)}`];
  // One that was killed leaves its socket files, and nginx would wait for them to go away.
  for (const address of sockets) {
    if (address.startsWith('unix:')) rmSync(address.slice('unix:'.length), { force: true });
  }
  return writeScratch(`${name}.conf`, responderConfig(name, sockets));
}

function responderConfig(name: string, addresses: readonly string[]): string {
  // As root nginx would become somebody who may not read the scratch folder.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  return `
daemon off;
${user}
pid ${scratchFile(`${name}.pid`)};
worker_processes 1;
error_log stderr crit;
events { worker_connections 16384; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  sendfile on;
  tcp_nodelay on;
  default_type application/json;
  client_body_temp_path ${scratchFile('bodies')};
  proxy_temp_path ${scratchFile('answers')};
  client_max_body_size 0;
  server {
${addresses.map((address) => `    listen ${address} backlog=4096;`).join('\n')}
    location / { return 200 '${ANSWER}'; }
    location /files/ { root ${scratch}; }
    location /slow/ { alias ${scratch}/files/; limit_rate 400k; }
    # Answers only when the whole body is here, which return alone would not wait for.
    location /upload {
      client_body_buffer_size 2m;
      proxy_pass http://unix:${scratchFile(`${name}-answer.sock`)}:/;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
    }
  }
}
`;
}

/** Writes the bodies under /files/. */
export function writeFiles(): void {
  mkdirSync(scratchFile('files'), { recursive: true });
  for (const [name, bytes] of Object.entries(FILES)) writeScratch(`files/${name}`, 'x'.repeat(bytes));
}

/** Starts the two upstreams on the load's cores. */
export async function startResponder(): Promise<Started> {
  writeFiles();
  const addresses = [CONTROL_PORT, CANDIDATE_PORT].map((port) => `127.0.0.1:${port}`);
  const sockets = [CONTROL_SOCKET, CANDIDATE_SOCKET].map((path) => `unix:${path}`);
  const config = writeResponder('responder', [...addresses, ...sockets]);
  return start(['nginx', '-c', config], { cores: LOAD_CORES, port: CANDIDATE_PORT });
}
