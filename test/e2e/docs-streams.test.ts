/** docs/streams.md as somebody would try it: its configuration, its client, its curl lines, and a SIGTERM at the end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { parseConfig } from '../../src/config/parse.ts';
import { withoutMetadata } from '../support/config.ts';
import { blocks, commands } from '../support/docs.ts';
import { type RunningProcess, runSidecar } from '../support/process.ts';
import { Signal } from '../support/rig.ts';
import { hasTools } from '../support/tools.ts';

const DOC = 'docs/streams.md';
const PORTS = `
listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]
admin: { address: 127.0.0.1:0, probeAddress: off }
`;

let folder: string;
let service: Server;
let sidecar: RunningProcess & { readonly ports: Readonly<Record<string, number>> };
/** The open event streams. */
const streams: ServerResponse[] = [];
const changed = new Signal();

/** A service that sends WebSocket messages back, and events when the test says so. */
async function startService(): Promise<Server> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.flushHeaders();
    streams.push(response);
    changed.wake();
  });
  new WebSocketServer({ server }).on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

interface Shown {
  readonly child: ChildProcess;
  text: string;
  until(text: string): Promise<void>;
}

/** A command line of the page under way, with the sidecar's ports. */
function run(command: string): Shown {
  const line = command
    .replace(/^node /, `'${process.execPath}' `)
    .replace('127.0.0.1:15106', `127.0.0.1:${sidecar.ports.inbound}`)
    .replace('127.0.0.1:15100', `127.0.0.1:${sidecar.ports.admin}`);
  const child = spawn('sh', ['-c', line], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
  const shown: Shown = {
    child,
    text: '',
    until: (text) =>
      changed.until(
        () => shown.text.includes(text),
        () => `it shows ${shown.text}`,
        20_000,
      ),
  };
  child.stdout!.on('data', (chunk) => {
    shown.text += chunk;
    changed.wake();
  });
  return shown;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairlead-streams-'));
  service = await startService();
  const address = service.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const [config] = await blocks(DOC, 'yaml');
  expect(withoutMetadata(parseConfig(config!, DOC).issues)).toEqual([]);
  const own = config!
    .replaceAll(/127\.0\.0\.1:900\d/g, `127.0.0.1:${port}`)
    .replace('timeout: 20s', 'timeout: 4s');
  await writeFile(join(folder, 'streams.yaml'), own + PORTS);
  sidecar = await runSidecar('streams.yaml', folder);
  const [client] = await blocks(DOC, 'js');
  await writeFile(
    join(folder, 'client.mjs'),
    client!.replace('127.0.0.1:15106', `127.0.0.1:${sidecar.ports.inbound}`),
  );
});

afterAll(async () => {
  sidecar.child.kill('SIGKILL');
  service.closeAllConnections();
  service.close();
  await rm(folder, { recursive: true, force: true });
});

it.skipIf(!hasTools('curl'))(
  'everything that the page shows works as it says',
  async () => {
    const [node, events, metrics, ...others] = (await blocks(DOC, 'sh')).flatMap(commands);
    expect(others).toEqual([]);

    const chat = run(node!);
    await chat.until('message hello\n');

    const feed = run(events!);
    await changed.until(
      () => streams.length === 1,
      () => 'no stream',
    );
    for (let n = 1; n <= 3; n++) {
      streams[0]!.write(`data: ${n}\n\n`);
      await feed.until(`data: ${n}\n\n`);
    }

    const page = run(metrics!);
    await once(page.child, 'close');
    expect(page.text).toMatch(
      /^fairlead_tunnels_active\{direction="inbound",route="chat",experiment="rooms",.*\} 1$/m,
    );

    // A drain: the WebSocket is asked to go at once, the stream is cut when the time is over.
    const feedEnded = once(feed.child, 'close');
    sidecar.child.kill('SIGTERM');
    await chat.until('closed 1001\n');
    expect((await feedEnded)[0]).toBe(CURL_PARTIAL);
    expect(await sidecar.exited).toBe(0);
    expect(sidecar.log()).toContain('drained with 1 connections cut after 4000 ms');
  },
  30_000,
);

/** curl's exit code for a response that was not finished. */
const CURL_PARTIAL = 18;
