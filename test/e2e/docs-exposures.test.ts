/** docs/exposures.md and docs/tracing.md as somebody would try them: configurations, commands, and what comes out. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { blocks, commands } from '../support/docs.ts';
import { fixedUpstream, type RawUpstream } from '../support/peers.ts';
import { runSidecar } from '../support/process.ts';
import { hasTools } from '../support/tools.ts';

type Sidecar = Awaited<ReturnType<typeof runSidecar>>;

let folder: string;
let upstream: RawUpstream;
let sidecar: Sidecar | null;
let collector: Server;
let spans: string[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-docs-'));
  upstream = await fixedUpstream('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nv1');
  sidecar = null;
  spans = [];
  collector = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => {
      text += chunk;
    });
    request.on('end', () => {
      spans.push(text);
      response.end('{}');
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  await stop();
  await upstream.close();
  collector.close();
  rmSync(folder, { recursive: true });
});

async function stop(): Promise<void> {
  sidecar?.child.kill('SIGTERM');
  await sidecar?.exited;
  sidecar = null;
}

/** The example as it is shown, with free ports in place of its own. */
async function run(example: string): Promise<Sidecar> {
  const { port } = collector.address() as AddressInfo;
  const text = example
    .replace('127.0.0.1:9001', upstream.endpoint)
    .replace('127.0.0.1:4318', `127.0.0.1:${port}`);
  const ports = `
listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]
admin: { address: "off", probeAddress: "127.0.0.1:0" }
accessLog: { enabled: false }
`;
  const withoutStdout = text.includes('exposures:') ? '' : 'exposures: { enabled: false }\n';
  writeFileSync(join(folder, 'shop.yaml'), text + ports + withoutStdout);
  sidecar = await runSidecar('shop.yaml', folder);
  return sidecar;
}

async function shell(line: string): Promise<string> {
  const { inbound, probes } = sidecar!.ports;
  const own = line
    .replace('127.0.0.1:15106', `127.0.0.1:${inbound}`)
    .replace('127.0.0.1:15120', `127.0.0.1:${probes}`);
  return (await promisify(execFile)('sh', ['-c', own], { cwd: folder })).stdout;
}

describe.each(['docs/exposures.md', 'docs/tracing.md'])('%s', (doc) => {
  it('shows configurations that are valid', async () => {
    const shown = await blocks(doc, 'yaml');
    expect(shown.length).toBeGreaterThan(0);
    for (const block of shown)
      expect(parseConfig(block, doc).issues.map(({ message }) => message)).toEqual([]);
  });
});

describe.skipIf(!hasTools('curl'))('the example', () => {
  it('of exposures writes the event that is shown', async () => {
    const [example] = await blocks('docs/exposures.md', 'yaml');
    const [lines] = await blocks('docs/exposures.md', 'sh');
    const [start, request, show, metrics, ...others] = commands(lines!);
    expect([start, others]).toEqual(['npx fairlead run -c shop.yaml', []]);
    await run(example!);
    await shell(request!);
    const file = join(folder, 'events.ndjson');
    await expect.poll(() => shell(show!).catch(() => ''), { timeout: 20_000 }).toContain('\n');
    const event = JSON.parse(readFileSync(file, 'utf8'));
    const [json] = await blocks('docs/exposures.md', 'json');
    const shown = JSON.parse(json!);
    expect(Object.keys(event)).toEqual(Object.keys(shown));
    expect(Object.keys(event.data)).toEqual(Object.keys(shown.data));
    const { id, time, data, ...same } = shown;
    expect(event).toMatchObject(same);
    const { unit, ...facts } = data;
    expect(event.data).toMatchObject(facts);
    expect(event.id).toMatch(/^[0-9a-f]{32}$/);
    await expect.poll(() => shell(metrics!)).toBe('fairlead_exposure_sink_sent_total{sink="lake"} 1\n');
  });

  it('of tracing sends the span that is described, and names it in the metrics', async () => {
    const [example] = await blocks('docs/tracing.md', 'yaml');
    const [lines] = await blocks('docs/tracing.md', 'sh');
    const [start, request, metrics, ...others] = commands(lines!);
    expect([start, others]).toEqual(['npx fairlead run -c shop.yaml', []]);
    await run(example!);
    expect(await shell(request!)).toBe('v1');
    expect(await shell(metrics!)).toContain('# {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"}');
    await stop();
    expect(spans).toHaveLength(1);
    const described = readFileSync(join(import.meta.dirname, '../../docs/tracing.md'), 'utf8');
    const { attributes, events, name } = JSON.parse(spans[0]!).resourceSpans[0].scopeSpans[0].spans[0];
    expect(name).toBe('GET all');
    for (const { key } of [...attributes, ...events[0].attributes]) expect(described).toContain(`\`${key}\``);
    expect(events[0].name).toBe('feature_flag.evaluation');
  });
});
