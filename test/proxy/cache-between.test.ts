/** A cache between two sidecars, as docs/caching.md has it: with the hint in its key, and without. */
import { createServer, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { answer, get, ok, useRig } from '../support/rig.ts';

const rig = useRig();
const HINT = 'x-cache-key-variant';

interface Stored {
  readonly headers: string[];
  readonly body: Buffer;
}

/** Stores every answer for good, under the target and the values of these headers; what it has is seven seconds old. */
async function cacheBefore(port: number, keyHeaders: readonly string[]): Promise<string> {
  const stored = new Map<string, Stored>();
  const server = createServer((incoming, outgoing) => {
    const key = [incoming.url, ...keyHeaders.map((name) => incoming.headers[name])].join('\n');
    const known = stored.get(key);
    if (known !== undefined) {
      outgoing.writeHead(200, [...known.headers, 'Age', '7']).end(known.body);
      return;
    }
    const onward = send(
      { port, host: '127.0.0.1', path: incoming.url, headers: incoming.headers },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part) => parts.push(part));
        response.on('end', () => {
          const one = { headers: response.rawHeaders, body: Buffer.concat(parts) };
          stored.set(key, one);
          outgoing.writeHead(200, one.headers).end(one.body);
        });
      },
    );
    onward.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  rig.also(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const VARIANTS = { control: {}, candidate: { weight: '50%' } };

/** What 40 users get from an edge behind which there is such a cache, as `user assigned got`, and the requests of the service. */
async function world(keyHeaders: readonly string[]) {
  const service = await rig.upstream(({ socket, fields }) => {
    const variant = fields.find(([name]) => name === 'x-experiment')?.[1] ?? '';
    socket.write(ok(variant, 'Cache-Control: max-age=60\r\n'));
  });
  const cache = { keyHint: HINT, vary: [HINT] };
  const settings = {
    routes: [{ name: 'all', upstream: 'app', experiments: ['ranking'], cache }],
    experiments: { ranking: { variants: VARIANTS } },
  };
  const inner = await rig.plane([service.endpoint], settings);
  const edge = await rig.plane([await cacheBefore(inner.port, keyHeaders)], settings);
  const client = rig.client(edge.port);
  const wrong: string[] = [];
  const seen = new Set<string>();
  for (let user = 0; user < 40; user++) {
    client.send(get('/page', `x-user-id: user-${user}\r\n`));
    const { fields, body } = await answer(client);
    const hint = fields.find(([name]) => name === HINT)?.[1] ?? '';
    seen.add(hint);
    if (hint !== body) wrong.push(`user-${user}`);
  }
  expect([...seen].sort()).toEqual(['ranking=candidate', 'ranking=control']);
  const page = await edge.plane.metrics.render();
  const mixups = Number(/fairlead_cache_mixups_total\{[^}]*\} (\d+)/.exec(page)?.[1] ?? 0);
  return { wrong, mixups, fetched: service.requests.length };
}

it('with the hint in its key asks the service once for each variant, and mixes up nobody', async () => {
  expect(await world([HINT])).toEqual({ wrong: [], mixups: 0, fetched: 2 });
});

it('without it gives users what was stored for others, and every one of them is counted', async () => {
  const { wrong, mixups, fetched } = await world([]);
  expect(fetched).toBe(1);
  expect(wrong.length).toBeGreaterThan(5);
  expect(mixups).toBe(wrong.length);
});
