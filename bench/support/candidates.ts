/** Who is measured: how each proxy is started, and on which port it listens. All do the same job (proxies/split.ts). */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CANDIDATE_PORT, CONTROL_PORT } from '../proxies/split.ts';
import { hasProgram, type Started, start } from './processes.ts';

const ROOT = join(import.meta.dirname, '../..');
const BENCH = join(ROOT, 'bench');

export interface Candidate {
  readonly name: string;
  readonly port: number;
  readonly command: readonly string[];
}

const node = (script: string, port: number): readonly string[] => [
  process.execPath,
  join(BENCH, script),
  String(port),
];

const scratch = mkdtempSync(join(tmpdir(), 'fairlead-bench-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

/** Fairlead as `npx fairlead run -c bench/fairlead.yaml`, on ports of its own from `port` on. */
function fairlead(name: string, port: number): Candidate {
  const text = readFileSync(join(BENCH, 'fairlead.yaml'), 'utf8')
    .replace(':9420', `:${port}`)
    .replace(':9480', `:${port + 60}`)
    .replace(':9481', `:${port + 61}`);
  const file = join(scratch, `${name}.yaml`);
  writeFileSync(file, text);
  return { name, port, command: [process.execPath, join(ROOT, 'bin/fairlead.js'), 'run', '-c', file] };
}

/** `fairlead-twin` is the same program once more: what separates the two is noise. */
export function candidates(options: { haproxy: boolean; twin: boolean }): Candidate[] {
  const all = [
    fairlead('fairlead', 9420),
    { name: 'undici', port: 9424, command: node('proxies/undici.ts', 9424) },
    { name: 'http-proxy', port: 9425, command: node('proxies/http-proxy.ts', 9425) },
  ];
  if (options.twin) all.push(fairlead('fairlead-twin', 9430));
  if (options.haproxy) {
    all.unshift({
      name: 'haproxy',
      port: 9423,
      command: ['haproxy', '-db', '-f', join(BENCH, 'proxies/haproxy.cfg')],
    });
  }
  return all;
}

/** Starts the two upstreams: nginx if it is there, else responder.ts. */
export async function startResponder(core: number | null): Promise<Started & { readonly name: string }> {
  const isNginx = hasProgram('nginx');
  const command = isNginx
    ? ['nginx', '-c', join(BENCH, 'support/responder.conf'), '-g', `pid ${join(scratch, 'nginx.pid')};`]
    : node('responder.ts', CONTROL_PORT);
  const started = await start(command, { core, port: CANDIDATE_PORT });
  return { ...started, name: isNginx ? 'nginx' : 'bench/responder.ts' };
}
