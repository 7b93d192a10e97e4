import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { addPage } from '../../../src/admin/page.ts';
import { type PageFile, readPage } from '../../../src/admin/page-files.ts';
import { sendProblem, toAdminError } from '../../../src/admin/problem.ts';
import { neededRole } from '../../../src/admin/roles.ts';
import { newAdminBench } from '../../support/admin.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function builtFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-page-'));
  folders.push(folder);
  mkdirSync(join(folder, 'assets'));
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>Fairlead</title>');
  writeFileSync(join(folder, 'assets/index-abc.js'), 'let a;');
  writeFileSync(join(folder, 'assets/style-abc.css'), 'p{}');
  writeFileSync(join(folder, 'assets/notes.txt'), 'not of the page');
  return folder;
}

function serverOf(files: readonly PageFile[] | null): FastifyInstance {
  const app = fastify();
  app.setErrorHandler((error, _request, reply) => sendProblem(reply, toAdminError(error)!));
  addPage(app, files);
  return app;
}

describe('the page', () => {
  const served = () => serverOf(readPage(builtFolder()));

  test('is on / with a policy that lets nothing in from elsewhere', async () => {
    const { statusCode, headers, body } = await served().inject('/');
    expect({ statusCode, body }).toEqual({ statusCode: 200, body: '<!doctype html><title>Fairlead</title>' });
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'content-security-policy':
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    });
  });

  test('has assets that may be kept for ever, and an index that is asked for again', async () => {
    const app = served();
    const { headers, body } = await app.inject('/assets/index-abc.js');
    expect(headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'cache-control': 'public, max-age=31536000, immutable',
    });
    expect(body).toBe('let a;');
    const { etag } = (await app.inject('/')).headers;
    const again = await app.inject({ url: '/', headers: { 'if-none-match': `"other", ${etag}` } });
    expect([again.statusCode, again.body]).toEqual([304, '']);
  });

  test('answers HEAD as GET, and nothing else', async () => {
    const app = served();
    const head = await app.inject({ method: 'HEAD', url: '/' });
    expect([head.statusCode, head.headers['content-length'], head.body]).toEqual([200, '38', '']);
    const post = await app.inject({ method: 'POST', url: '/' });
    expect([post.statusCode, post.headers.allow]).toEqual([405, 'GET']);
  });

  test('is only what it was at the start: no other file, and no way out of the folder', async () => {
    const app = served();
    for (const url of [
      '/assets/notes.txt',
      '/assets/../index.html',
      '/assets/%2e%2e/index.html',
      '/index.html',
    ])
      expect([url, (await app.inject(url)).statusCode]).toEqual([url, 404]);
  });

  test('that is not built says how to build it, and the API is there all the same', async () => {
    expect(readPage('/nowhere')).toBeNull();
    const bench = await newAdminBench();
    const { statusCode, headers, body } = await bench.app.inject('/');
    expect([statusCode, headers['content-type']]).toEqual([503, 'text/plain; charset=utf-8']);
    expect(body).toContain('npm run build:page');
    expect((await bench.app.inject('/v1/experiments')).statusCode).toBe(200);
    await bench.close();
  });

  test('is open to whoever reaches the port, its data is what needs a role', () => {
    expect(neededRole('GET', '/', 'viewer')).toBeNull();
    expect(neededRole('GET', '/assets/index-abc.js', 'viewer')).toBeNull();
    expect(neededRole('GET', '/v1/experiments', 'viewer')).toBe('viewer');
    expect(neededRole('POST', '/', 'viewer')).toBe('admin');
  });
});
