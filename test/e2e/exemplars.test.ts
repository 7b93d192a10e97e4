/** A real Prometheus scrapes a sidecar that traces: in OpenMetrics, which it asks for, with the traces beside the numbers. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-ports.ts';
import { fixedUpstream, RawClient } from '../support/peers.ts';
import { runSidecar } from '../support/process.ts';
import { hasTools } from '../support/tools.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

describe.skipIf(!hasTools('prometheus'))('exemplars', () => {
  it.each([1, 2])(
    'lead Prometheus from a latency to a trace, with %i processes',
    async (workers) => {
      const folder = mkdtempSync(join(tmpdir(), 'fairlead-exemplars-'));
      closers.push(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
      const upstream = await fixedUpstream('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
      closers.push(() => upstream.close());
      writeFileSync(
        join(folder, 'fairlead.yaml'),
        `
version: 1
workers: ${workers}
listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]
upstreams: { v1: { endpoints: ["${upstream.endpoint}"] } }
admin: { address: "off", probeAddress: "127.0.0.1:0" }
accessLog: { enabled: false }
exposures: { enabled: false }
tracing: { url: "http://127.0.0.1:${await freePort()}/v1/traces" }
`,
      );
      const sidecar = await runSidecar('fairlead.yaml', folder);
      closers.push(() => {
        sidecar.child.kill('SIGKILL');
        return sidecar.exited;
      });
      const client = new RawClient(sidecar.ports.inbound!);
      closers.push(() => client.close());
      client.send(`GET / HTTP/1.1\r\nhost: a\r\ntraceparent: 00-${TRACE}-00f067aa0ba902b7-01\r\n\r\n`);
      await client.until((text) => text.includes('ok'));

      const port = await freePort();
      writeFileSync(
        join(folder, 'prometheus.yaml'),
        `global: { scrape_interval: 1s }
scrape_configs: [{ job_name: fairlead, static_configs: [{ targets: ["127.0.0.1:${sidecar.ports.probes}"] }] }]`,
      );
      const args = [
        `--config.file=${join(folder, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(folder, 'tsdb')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--enable-feature=exemplar-storage',
      ];
      const prometheus = spawn('prometheus', args, { stdio: 'ignore' });
      closers.push(() => {
        prometheus.kill('SIGKILL');
        return once(prometheus, 'exit');
      });
      const ask = async (path: string): Promise<string> => {
        const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`).catch(() => null);
        return response === null ? '' : response.text();
      };
      const seconds = Math.floor(Date.now() / 1000);
      const range = `start=${seconds - 60}&end=${seconds + 60}`;
      await expect
        .poll(() => ask(`query_exemplars?query=fairlead_request_duration_seconds_bucket&${range}`), {
          timeout: 20_000,
          interval: 200,
        })
        .toContain(`"trace_id":"${TRACE}"`);
      // Counters have the names that they have in the other format.
      expect(await ask('query?query=fairlead_requests_total')).toContain('"code_class":"2xx"');
      expect(await ask('targets')).toContain('"health":"up"');
    },
    60_000,
  );
});
