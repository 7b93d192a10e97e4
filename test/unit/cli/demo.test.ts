/** What the demo's text claims is true of config/quickstart.yaml. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { welcome } from '../../../src/cli/demo.ts';
import { main } from '../../../src/main.ts';

const QUICKSTART = join(import.meta.dirname, '../../../config/quickstart.yaml');

async function explain(...headers: string[]): Promise<string> {
  const out: string[] = [];
  const io = { out: (text: string) => void out.push(text), err: () => {}, env: {}, isTerminal: false };
  const argv = ['explain', '-c', QUICKSTART, ...headers.flatMap((header) => ['-H', header]), '/api/search'];
  expect(await main(argv, io)).toBe(0);
  return out.join('');
}

test('user 3 is on the candidate and user 1 on the control, as the text says', async () => {
  expect(welcome('config/quickstart.yaml')).toContain('3 is on the candidate each time, 1 on the control');
  expect(await explain('x-user-id: 3')).toMatch(/goes to +demo-v2 /);
  expect(await explain('x-user-id: 1')).toMatch(/goes to +demo-v1 /);
});

test('nobody known goes to the control, and an override to the candidate', async () => {
  expect(await explain()).toMatch(/goes to +demo-v1 /);
  expect(await explain('x-experiment-override: ranking=candidate')).toMatch(/goes to +demo-v2 /);
});

test('the ports in the text are those of the file, and 40 tries are enough for its breaker', () => {
  const text = welcome('config/quickstart.yaml');
  const file = readFileSync(QUICKSTART, 'utf8');
  for (const port of ['9001', '9002', '15106', '15100', '15120']) {
    expect(text).toContain(`127.0.0.1:${port}`);
    expect(file).toContain(`127.0.0.1:${port}`);
  }
  expect(text.match(/^ {5}curl .*$/gm)).toHaveLength(4);
  expect(text).toContain('seq 40');
  expect(Number(/minimumRequests: (\d+)/.exec(file)![1])).toBeLessThanOrEqual(20);
});
