/** The service of the demo does what the demo's text says of it. */
import { afterEach, expect, test } from 'vitest';
import { type DemoService, startDemoService } from '../../../src/cli/demo-service.ts';

const started: DemoService[] = [];

async function start(): Promise<{ service: DemoService; url: string }> {
  const service = await startDemoService({ version: 'v2', port: 0 });
  started.push(service);
  return { service, url: `http://127.0.0.1:${service.port}` };
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((service) => service.stop()));
});

test('it answers with its version and what it was told about experiments', async () => {
  const { url } = await start();
  const response = await fetch(`${url}/api/search`, { headers: { 'x-experiment': 'ranking=candidate' } });
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({
    version: 'v2',
    path: '/api/search',
    'x-experiment': 'ranking=candidate',
    baggage: null,
  });
});

test('it fails after POST /demo/fail until POST /demo/heal', async () => {
  const { service, url } = await start();
  expect(await (await fetch(`${url}/demo/fail`, { method: 'POST' })).json()).toEqual({ fault: 'fail' });
  expect((await fetch(url)).status).toBe(500);
  expect((await fetch(url)).status).toBe(500);
  await fetch(`${url}/demo/heal`, { method: 'POST' });
  expect((await fetch(url)).status).toBe(200);
  expect(service.requests).toBe(3);
});

test('a GET on a control changes nothing and is 405', async () => {
  const { service, url } = await start();
  const response = await fetch(`${url}/demo/fail`);
  expect(response.status).toBe(405);
  expect(response.headers.get('allow')).toBe('POST');
  expect(service.fault).toBe('none');
});

test('it answers nothing after POST /demo/hang, and can still be stopped', async () => {
  const { service, url } = await start();
  await fetch(`${url}/demo/hang`, { method: 'POST' });
  const hanging = fetch(url).then(
    (response) => response.status,
    () => 'cut',
  );
  await expect.poll(() => service.requests).toBe(1);
  await service.stop();
  expect(await hanging).toBe('cut');
});

test('a port that is taken is an error, not a crash', async () => {
  const { service } = await start();
  await expect(startDemoService({ version: 'v1', port: service.port })).rejects.toThrow('EADDRINUSE');
});
