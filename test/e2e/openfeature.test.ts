/** The real OpenFeature SDK with its OFREP provider, asking a real sidecar about users whose requests it routes. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { type Client, ErrorCode, OpenFeature } from '@openfeature/server-sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { blocks, commands } from '../support/docs.ts';
import { runSidecar } from '../support/process.ts';
import { signerOf } from '../support/tokens.ts';
import { hasTools } from '../support/tools.ts';

const ROOT = join(import.meta.dirname, '../..');
const USERS = 1000;
/** Requests under way at one time. */
const AT_ONCE = 20;

type Headers = Readonly<Record<string, string>>;
type Sidecar = Awaited<ReturnType<typeof runSidecar>>;

let folder: string;
/** Answers with the headers that it got. */
let app: Server;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairlead-openfeature-'));
  app = createServer((request, response) => response.end(JSON.stringify(request.headers)));
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  await OpenFeature.close();
  app.closeAllConnections();
  app.close();
  await rm(folder, { recursive: true, force: true });
});

async function start(name: string, config: string): Promise<Sidecar> {
  const ports = `
listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]
admin: { address: 127.0.0.1:0, probeAddress: 'off', token: openfeature-token }
`;
  const { port } = app.address() as AddressInfo;
  await writeFile(join(folder, name), config.replaceAll('127.0.0.1:9001', `127.0.0.1:${port}`) + ports);
  return runSidecar(name, folder);
}

async function stop(sidecar: Sidecar): Promise<void> {
  sidecar.child.kill('SIGTERM');
  expect(await sidecar.exited).toBe(0);
}

const admin = ({ ports }: Sidecar) => `http://127.0.0.1:${ports.admin}`;

/** The SDK's client, asking this sidecar. */
async function clientOf(domain: string, sidecar: Sidecar): Promise<Client> {
  await OpenFeature.setProviderAndWait(domain, new OFREPProvider({ baseUrl: admin(sidecar) }));
  return OpenFeature.getClient(domain);
}

/** A request through the sidecar; the headers as the application gets them. */
async function received(sidecar: Sidecar, headers: Headers): Promise<Headers> {
  const response = await fetch(`http://127.0.0.1:${sidecar.ports.inbound}/search?q=tea`, { headers });
  return (await response.json()) as Headers;
}

/** The variants that a request was given: those it carries on, and the fallback where it carries nothing. */
function routedBy(headers: Headers, flags: readonly string[]): Record<string, string> {
  const carried = new Map(
    (headers['x-experiment'] ?? '').split(', ').map((member) => member.split('=') as [string, string]),
  );
  return Object.fromEntries(flags.map((flag) => [flag, carried.get(flag) ?? 'control']));
}

async function all<T>(count: number, work: (n: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) results[n] = await work(n);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

describe('a thousand users', () => {
  const FLAGS = ['page-size', 'ranking', 'summary', 'tour'];
  const CONFIG = `
version: 1
upstreams: { app: "127.0.0.1:9001" }
routes: [{ name: all, upstream: app, experiments: [page-size, ranking, summary, tour] }]
layers: { search: { holdout: 10% } }
experiments:
  page-size: { unit: { header: x-user-id }, traffic: 60%, variants: { control: {}, b: { weight: 30% }, c: { weight: 30% } } }
  ranking: { unit: { header: x-user-id }, layer: search, range: 0%-70%, variants: { control: {}, on: { weight: 50% } } }
  summary: { unit: { header: x-user-id }, requires: [{ experiment: ranking, variant: "on" }], variants: { control: {}, on: { weight: 50% } } }
  tour: { unit: { cookie: device }, targeting: [{ query: q, equals: tea }, { header: x-plan, equals: pro }], variants: { control: {}, on: { weight: 50% } } }
`;
  const userOf = (n: number): Headers => ({
    'x-user-id': `user-${n}`,
    cookie: `theme=dark; device=device-${n % 700}`,
    'x-plan': n % 3 === 0 ? 'pro' : 'free',
  });
  let sidecar: Sidecar;
  let client: Client;
  let routed: Record<string, string>[];
  let seen: Headers[];

  beforeAll(async () => {
    sidecar = await start('users.yaml', CONFIG);
    client = await clientOf('users', sidecar);
    seen = await all(USERS, (n) => received(sidecar, userOf(n)));
    routed = seen.map((headers) => routedBy(headers, FLAGS));
  });
  afterAll(() => stop(sidecar));

  it('are not all given the same', () => {
    for (const flag of FLAGS) {
      const shares = Object.values(Object.groupBy(routed, (variants) => variants[flag]!)).map(
        (users) => users!.length,
      );
      expect(shares.length).toBeGreaterThan(1);
      expect(Math.min(...shares)).toBeGreaterThan(50);
    }
  });

  it('get from the SDK, by what their requests bring, what they are routed by', async () => {
    const answers = await all(USERS, async (n) => {
      const context = { targetingKey: `user-${n}`, path: '/search?q=tea', headers: { ...userOf(n) } };
      const answers: Record<string, string> = {};
      for (const flag of FLAGS) answers[flag] = await client.getStringValue(flag, 'the default', context);
      return answers;
    });
    expect(answers).toEqual(routed);
  });

  it('get it by the headers that the application got, whose user is not asked for again', async () => {
    const answers = await all(USERS, async (n) => {
      const details = await client.getStringDetails('ranking', 'the default', { headers: { ...seen[n] } });
      return [details.value, details.reason];
    });
    expect(answers.map(([value]) => value)).toEqual(routed.map(({ ranking }) => ranking));
    expect(new Set(answers.map(([, reason]) => reason))).toEqual(new Set(['CACHED', 'DEFAULT']));
  });

  it('get all flags at once in the same way', async () => {
    const answers = await all(USERS, async (n) => {
      const response = await fetch(`${admin(sidecar)}/ofrep/v1/evaluate/flags`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ context: { path: '/search?q=tea', headers: seen[n] } }),
      });
      const { flags } = (await response.json()) as { flags: { key: string; variant: string }[] };
      return Object.fromEntries(flags.map(({ key, variant }) => [key, variant]));
    });
    expect(answers).toEqual(routed);
  });
});

describe('who sends a request', () => {
  const FLAGS = ['members', 'kept'];
  const USERS_KNOWN = 60;
  const signer = signerOf('HS256', 'k1');
  const metrics = async () => (await fetch(`${admin(sidecar)}/metrics`)).text();
  let sidecar: Sidecar;
  let client: Client;

  beforeAll(async () => {
    const config = `
version: 1
upstreams: { app: "127.0.0.1:9001" }
routes: [{ name: all, upstream: app, experiments: [members, kept] }]
identity: { jwt: { keys: [{ id: k1, algorithm: HS256, secretFile: ${join(folder, 'secret')} }] } }
stickyKeys: [{ id: s1, key: s1-0123456789-0123456789-0123456789 }]
experiments:
  members: { unit: { claim: /sub }, traffic: 50%, variants: { control: {}, on: { weight: 50% } } }
  kept: { unit: [{ header: x-user-id }, { cookie: device }], sticky: { ttl: 30d }, traffic: 50%, variants: { control: {}, on: { weight: 50% } } }
`;
    await writeFile(join(folder, 'secret'), signer.text);
    sidecar = await start('identity.yaml', config);
    client = await clientOf('identity', sidecar);
  });
  afterAll(() => stop(sidecar));

  it('is found out by the token and the sticky cookie among the headers, as it is for the request', async () => {
    const reasons = await all(USERS_KNOWN, async (n) => {
      const first = await fetch(`http://127.0.0.1:${sidecar.ports.inbound}/`, {
        headers: { cookie: `device=d-${n}` },
      });
      const [sticky = ''] = first.headers.getSetCookie().map((cookie) => cookie.split(';')[0]);
      const headers = {
        authorization: `Bearer ${await signer.sign({ sub: `member-${n}` })}`,
        cookie: `device=d-${n}; ${sticky}`,
        'x-user-id': `user-${n}`,
      };
      const routed = routedBy(await received(sidecar, headers), FLAGS);
      const reasons: unknown[] = [];
      for (const flag of FLAGS) {
        const { value, flagMetadata } = await client.getStringDetails(flag, 'the default', { headers });
        expect(value).toBe(routed[flag]);
        reasons.push(`${flag} ${flagMetadata['fairlead.reason']}`);
      }
      return reasons;
    });
    expect(new Set(reasons.flat())).toEqual(
      new Set(['members split', 'members not-enrolled', 'kept sticky', 'kept not-enrolled']),
    );
    // One for each request, and none for the questions.
    expect(await metrics()).toMatch(
      new RegExp(`^fairlead_sticky_assignments_total\\{.*"kept".*\\} ${USERS_KNOWN}$`, 'm'),
    );
  });

  it('is nobody with a token that is not valid, and what the application says of its user with claims', async () => {
    const headers = { authorization: `Bearer ${await signerOf('HS256', 'k1').sign({ sub: 'member-1' })}` };
    expect(await client.getStringDetails('members', 'x', { headers })).toMatchObject({
      errorCode: ErrorCode.TARGETING_KEY_MISSING,
    });
    const { reason } = await client.getStringDetails('members', 'x', {
      headers,
      claims: { sub: 'member-1' },
    });
    expect(['SPLIT', 'DEFAULT']).toContain(reason);
    expect(await metrics()).not.toMatch(/^fairlead_tokens_invalid_total\{/m);
  });
});

describe('the SDK', () => {
  const CONFIG = `
version: 1
workers: 2
propagation: { join: on }
upstreams: { app: "127.0.0.1:9001" }
routes: [{ name: all, upstream: app, experiments: [ranking, colour] }]
experiments:
  ranking: { variants: { control: { payload: false }, on: { weight: 50%, payload: true } } }
  colour: { variants: { control: { payload: { hex: "#000" } }, red: { weight: 50%, payload: { hex: "#f00" } } } }
`;
  let sidecar: Sidecar;
  let client: Client;

  beforeAll(async () => {
    sidecar = await start('workers.yaml', CONFIG);
    client = await clientOf('workers', sidecar);
  });
  afterAll(() => stop(sidecar));

  it('gets values of the kinds that payloads have, also where workers carry the traffic', async () => {
    const headers = await received(sidecar, { 'x-user-id': 'u-1' });
    const { ranking, colour } = routedBy(headers, ['ranking', 'colour']);
    const context = { targetingKey: 'u-1' };
    const details = await client.getBooleanDetails('ranking', false, context);
    expect(details).toMatchObject({ value: ranking === 'on', variant: ranking, reason: 'SPLIT' });
    expect(details.flagMetadata).toMatchObject({ 'fairlead.reason': 'split', 'fairlead.served': ranking });
    expect(await client.getObjectValue('colour', {}, context)).toEqual({
      hex: colour === 'red' ? '#f00' : '#000',
    });
  });

  it.each(['traceparent', 'x-request-id'])('needs no more of a request than its %s', async (id) => {
    const answers = await all(40, async (n) => {
      const headers = await received(sidecar, { 'x-user-id': `traced-${n}` });
      const carried = await client.getBooleanDetails('ranking', false, { [id]: headers[id] ?? '' });
      return [carried.variant, carried.reason, routedBy(headers, ['ranking']).ranking];
    });
    expect(new Set(answers.map(([variant]) => variant))).toEqual(new Set(['control', 'on']));
    for (const [variant, reason, routed] of answers) expect([variant, reason]).toEqual([routed, 'CACHED']);
    const unknown = {
      [id]: id === 'traceparent' ? '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' : 'nobody',
    };
    expect(await client.getBooleanDetails('ranking', false, unknown)).toMatchObject({
      errorCode: ErrorCode.TARGETING_KEY_MISSING,
    });
  });

  it('gets the errors that it knows, and the default of the caller', async () => {
    const codeOf = async (flag: string, context: object) => {
      const { value, errorCode } = await client.getBooleanDetails(flag, true, { ...context });
      expect(value).toBe(true);
      return errorCode;
    };
    expect(await codeOf('rankin', { targetingKey: 'u-1' })).toBe(ErrorCode.FLAG_NOT_FOUND);
    expect(await codeOf('ranking', {})).toBe(ErrorCode.TARGETING_KEY_MISSING);
    expect(await codeOf('ranking', { headers: 'x' })).toBe(ErrorCode.INVALID_CONTEXT);
    expect(await codeOf('colour', { targetingKey: 'u-1' })).toBe(ErrorCode.TYPE_MISMATCH);
  });

  it('sees which variant is served while breakers are open, and that the assigned one stays', async () => {
    const users = await all(20, async (n) =>
      client.getBooleanDetails('ranking', false, { targetingKey: `u-${n}` }),
    );
    const user = `u-${users.findIndex(({ variant }) => variant === 'on')}`;
    const trip = await fetch(`${admin(sidecar)}/v1/breakers/all/ranking/on:trip`, {
      method: 'POST',
      headers: { authorization: 'Bearer openfeature-token', 'content-type': 'application/json' },
      body: '{"for": "60s"}',
    });
    expect(trip.status).toBe(200);
    expect(await client.getBooleanDetails('ranking', false, { targetingKey: user })).toMatchObject({
      variant: 'on',
      value: true,
      flagMetadata: { 'fairlead.served': 'control', 'fairlead.openBreakers': 1 },
    });
  });

  it('is counted by the flag and not among the requests', async () => {
    const count = async () => {
      const page = await (await fetch(`${admin(sidecar)}/metrics`)).text();
      const of = (name: RegExp) =>
        [...page.matchAll(name)].reduce((sum, [, value]) => sum + Number(value), 0);
      return [
        of(/^fairlead_flag_evaluations_total\{experiment="ranking".* (\d+)$/gm),
        of(/^fairlead_requests_total.* (\d+)$/gm),
        of(/^fairlead_exposures_total (\d+)$/gm),
      ];
    };
    const [flags = 0, ...others] = await count();
    await client.getBooleanValue('ranking', false, { targetingKey: 'u-1' });
    expect(await count()).toEqual([flags + 1, ...others]);
  });
});

describe('docs/openfeature.md', () => {
  let sidecar: Sidecar;
  let config: string;

  beforeAll(async () => {
    const [first, ...others] = await blocks('docs/openfeature.md', 'yaml');
    expect(others).toEqual([]);
    config = first!;
    sidecar = await start('docs.yaml', config);
  });
  afterAll(() => stop(sidecar));

  const local = (text: string) =>
    text
      .replaceAll('127.0.0.1:15100', `127.0.0.1:${sidecar.ports.admin}`)
      .replaceAll('127.0.0.1:15106', `127.0.0.1:${sidecar.ports.inbound}`);

  it('shows a configuration that is valid', () => {
    expect(
      parseConfig(config, 'docs/openfeature.md').issues.filter(({ severity }) => severity === 'error'),
    ).toEqual([]);
  });

  it('shows a program that prints what the page says', async () => {
    const [program, ...others] = await blocks('docs/openfeature.md', 'js');
    expect(others).toEqual([]);
    const [printed] = await blocks('docs/openfeature.md', 'text');
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '-e', local(program!)],
      { cwd: ROOT },
    );
    expect(stdout).toBe(printed);
  });

  it.skipIf(!hasTools('curl'))('shows a request whose answer is the one it shows', async () => {
    const [request] = (await blocks('docs/openfeature.md', 'sh')).flatMap(commands);
    const [shown] = await blocks('docs/openfeature.md', 'json');
    const { stdout } = await promisify(execFile)('sh', ['-c', local(request!)]);
    const expected = JSON.parse(shown!) as { metadata: Record<string, unknown> };
    expected.metadata['fairlead.config'] = expect.stringMatching(/^[0-9a-f]{12}$/);
    expect(JSON.parse(stdout)).toEqual(expected);
  });
});
