/** What the demo's text claims is true of config/quickstart.yaml. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type DemoPlaces, welcome } from '../../../src/cli/demo-welcome.ts';
import { main } from '../../../src/main.ts';
import { commands } from '../../support/docs.ts';

const QUICKSTART = join(import.meta.dirname, '../../../config/quickstart.yaml');
const PLACES: DemoPlaces = {
  configFile: 'config/quickstart.yaml',
  logFolder: '.fairlead',
  sidecarUrl: 'http://127.0.0.1:15106',
  adminUrl: 'http://127.0.0.1:15100',
  probeUrl: 'http://127.0.0.1:15120',
  controlUrl: 'http://127.0.0.1:9001',
  candidateUrl: 'http://127.0.0.1:9002',
  token: 'demo-token',
  hasTraffic: true,
};

async function run(argv: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const said = { out: '', err: '' };
  const io = {
    out: (text: string) => {
      said.out += text;
    },
    err: (text: string) => {
      said.err += text;
    },
    env: {},
    isTerminal: false,
  };
  return { code: await main(argv, io), ...said };
}

async function explain(...headers: string[]): Promise<string> {
  const { code, out } = await run([
    ...['explain', '-c', QUICKSTART],
    ...headers.flatMap((header) => ['-H', header]),
    '/api/search',
  ]);
  expect(code).toBe(0);
  return out;
}

test('user 3 is on the candidate and user 1 on the control, as the text says', async () => {
  expect(welcome(PLACES)).toMatch(/of user 3, who is on the candidate each time \(1 is on the\s+control\)/);
  expect(await explain('x-user-id: 3')).toMatch(/goes to +demo-v2 /);
  expect(await explain('x-user-id: 1')).toMatch(/goes to +demo-v1 /);
});

test('nobody known goes to the control, and an override to the candidate', async () => {
  expect(await explain()).toMatch(/goes to +demo-v1 /);
  expect(await explain('x-experiment-override: ranking=candidate')).toMatch(/goes to +demo-v2 /);
});

test('the ports and the token in the text are those of the file, and 40 tries are enough for its breaker', () => {
  const text = welcome(PLACES);
  const file = readFileSync(QUICKSTART, 'utf8');
  for (const port of ['9001', '9002', '15106', '15100', '15120']) {
    expect(text).toContain(`127.0.0.1:${port}`);
    expect(file).toContain(`127.0.0.1:${port}`);
  }
  expect(text).toContain('export FAIRLEAD_ADMIN__TOKEN=demo-token');
  expect(file).toContain('token: demo-token');
  expect(text).toContain('seq 40');
  expect(Number(/minimumRequests: (\d+)/.exec(file)![1])).toBeLessThanOrEqual(20);
});

test('every command in the text is one that there is', async () => {
  const lines = commands(welcome(PLACES)).filter((line) => line.startsWith('npx fairlead '));
  expect(lines.length).toBeGreaterThanOrEqual(5);
  for (const line of lines) {
    const words = line.split(' ').slice(2);
    const { code, err } = await run([words[0]!, '--help']);
    expect(err).toBe('');
    expect(code).toBe(0);
  }
});

test('the text says that nobody comes when nobody does', () => {
  expect(welcome(PLACES)).toContain('50 searches a second');
  expect(welcome({ ...PLACES, hasTraffic: false })).toContain('nobody but you');
});
