/** The page as the sidecar serves it, with an admin API behind it that answers by contract and remembers what it was told. */
import type { AddressInfo } from 'node:net';
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { addPage } from '../../../src/admin/page.ts';
import { readPage } from '../../../src/admin/page-files.ts';
import { historyOf, newWorld, statsOf, type World } from './world.ts';
import {
  APPROVALS,
  AUDIT,
  AUDIT_HEAD,
  CONFIG,
  CONFIG_HISTORY,
  TAP_LINES,
  TRANSITIONS,
  UPSTREAMS,
} from './world-records.ts';
import { DIFFS } from './world-results.ts';

export const TOKEN = 'correct-horse-battery-staple';
/** Eight times as often as a sidecar, so that no test waits for it. */
const STATS_MS = 250;

export interface Told {
  readonly method: string;
  readonly path: string;
  readonly body: Record<string, unknown>;
}

export interface FakeAdmin {
  readonly origin: string;
  readonly world: World;
  /** Changes that were let through. */
  readonly told: readonly Told[];
  /** How the next change is answered; null: as done. */
  answer: { readonly status: number; readonly body: object } | null;
  /** Reading needs the token as well. */
  isReadClosed: boolean;
  /** Everything but experiments, breakers, upstreams, rollouts, config and audit is 404, as in a sidecar without it. */
  isBare: boolean;
  /** Sends an event to all streams. */
  send(name: string, data: object): void;
  /** Cuts all streams. */
  cut(): void;
  close(): Promise<void>;
}

/** @param folder Of the built page. */
export async function startFakeAdmin(
  folder: string,
  options: { readonly experiments?: number; readonly statsMs?: number } = {},
): Promise<FakeAdmin> {
  const { experiments, statsMs = STATS_MS } = options;
  const app = fastify({ forceCloseConnections: true });
  const world = newWorld(experiments);
  const told: Told[] = [];
  const streams = new Set<FastifyReply>();
  let tick = 0;
  const timer = setInterval(() => state.send('stats', statsOf(world, tick++)), statsMs);
  const state: FakeAdmin = {
    origin: '',
    world,
    told,
    answer: null,
    isReadClosed: false,
    isBare: false,
    send: (name, data) => {
      for (const { raw } of streams) raw.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
    },
    cut: () => {
      for (const { raw } of streams) raw.destroy();
      streams.clear();
    },
    close: async () => {
      clearInterval(timer);
      state.cut();
      await app.close();
    },
  };
  addPage(app, readPage(folder));
  app.addHook('onRequest', async (request, reply) => {
    if (!request.url.startsWith('/v1')) return;
    const isWrite = request.method !== 'GET';
    if ((isWrite || state.isReadClosed) && request.headers.authorization !== `Bearer ${TOKEN}`)
      return problem(reply, 401, 'token_required', 'The bearer token is missing or wrong.');
  });
  addReads(app, state, () => statsOf(world, tick));
  addStreams(app, streams, state);
  app.post('/v1/*', async (request, reply) => {
    if (state.answer !== null) return reply.code(state.answer.status).send(state.answer.body);
    told.push({ method: request.method, path: request.url, body: request.body as Record<string, unknown> });
    return {};
  });
  app.setNotFoundHandler((_request, reply) => problem(reply, 404, 'not_found', 'There is no such resource.'));
  await app.listen({ host: '127.0.0.1', port: 0 });
  return Object.assign(state, { origin: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}` });
}

function problem(reply: FastifyReply, status: number, code: string, detail: string): FastifyReply {
  return reply
    .code(status)
    .header('content-type', 'application/problem+json')
    .send({ status, code, detail, title: detail });
}

function addReads(app: FastifyInstance, state: FakeAdmin, stats: () => object): void {
  const { world } = state;
  app.get('/v1/experiments', async () => ({ experiments: world.experiments }));
  app.get('/v1/rollouts', async () => ({ rollouts: world.rollouts }));
  app.get('/v1/breakers', async () => ({ breakers: world.breakers }));
  app.get('/v1/upstreams', async () => UPSTREAMS);
  app.get('/v1/config', async () => CONFIG);
  app.get('/v1/audit', async () => AUDIT);
  app.get('/v1/audit/head', async () => AUDIT_HEAD);
  app.get('/v1/approvals', async () => APPROVALS);
  const late = (url: string, of: (name: string) => unknown) =>
    app.get(url, async (request, reply) => {
      const found = state.isBare ? undefined : of((request.params as { name?: string }).name ?? '');
      return found ?? problem(reply, 404, 'not_found', 'There is no such resource.');
    });
  late('/v1/stats', stats);
  late('/v1/breakers/history', () => TRANSITIONS);
  late('/v1/config/history', () => CONFIG_HISTORY);
  late('/v1/experiments/:name/results', (name) => world.results[name]);
  late('/v1/experiments/:name/history', () => historyOf());
  late('/v1/experiments/:name/diffs', () => DIFFS);
  late('/v1/results', () => ({
    results: Object.values(world.results).map((one) => {
      const { experiment, state: kept, verdict } = one as Record<string, unknown>;
      return { experiment, state: kept, verdict };
    }),
  }));
}

function addStreams(app: FastifyInstance, streams: Set<FastifyReply>, state: FakeAdmin): void {
  const open = (reply: FastifyReply) => {
    reply.hijack();
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    reply.raw.write(': hello\n\n');
    streams.add(reply);
    reply.raw.on('close', () => streams.delete(reply));
  };
  const missing = (reply: FastifyReply) => problem(reply, 404, 'not_found', 'There is no such resource.');
  app.get('/v1/events/stream', (_request, reply) => {
    if (state.isBare) return missing(reply);
    open(reply);
    reply.raw.write(`event: hello\ndata: ${JSON.stringify({ version: '0.1.0' })}\n\n`);
  });
  app.get('/v1/tap', (_request, reply) => {
    if (state.isBare) return missing(reply);
    open(reply);
    for (const line of TAP_LINES) reply.raw.write(`event: request\ndata: ${JSON.stringify(line)}\n\n`);
    reply.raw.write('event: dropped\ndata: {"count":12}\n\n');
  });
}
