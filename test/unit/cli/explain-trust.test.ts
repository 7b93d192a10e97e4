/** `fairlead explain` believes whom the listener would believe, and says whom it does not. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { main } from '../../../src/main.ts';
import { signToken } from '../../../src/propagation/token.ts';
import { tokenKey } from '../../../src/propagation/token-key.ts';

const SECRET = 'a secret that is long enough for it';
const key = tokenKey('k1', { kind: 'secret', text: SECRET });
let folder: string;
let config: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-explain-'));
  config = join(folder, 'fairlead.yaml');
  writeFileSync(join(folder, 'key'), SECRET);
  writeFileSync(
    config,
    `version: 1
requireMetadata: false
listeners:
  - { name: edge, address: "0.0.0.0:80", trust: { context: none, overrides: token } }
  - { name: mesh, address: "0.0.0.0:81", trust: { context: { cidrs: [10.0.0.0/8], token: true }, overrides: any } }
  - { name: out, address: "127.0.0.1:82", direction: outbound }
upstreams: { app: "127.0.0.1:9001" }
routes:
  - { name: all, upstream: app, experiments: [ranking] }
  - { name: calls, direction: outbound, upstream: app, experiments: [ranking] }
tokens: { keys: [{ id: k1, secretFile: ${join(folder, 'key')} }] }
propagation: { internalHosts: [prices] }
experiments: { ranking: { variants: { control: { weight: 100% }, candidate: { weight: 0% } } } }
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Answer {
  readonly notes: readonly string[];
  readonly experiments: readonly { readonly assigned: string; readonly reason: string }[];
  readonly forwarded: Readonly<Record<string, string>>;
}

async function explain(...argv: string[]): Promise<{ code: number; answer: Answer; err: string }> {
  let [out, err] = ['', ''];
  const io = {
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
    env: {},
    isTerminal: false,
  };
  const all = ['explain', '-c', config, '-o', 'json', '-H', 'x-user-id: u-1', ...argv];
  const code = await main(all, io);
  return { code, answer: out === '' ? (null as unknown as Answer) : JSON.parse(out), err };
}

const token = (purpose: 'context' | 'override', expiresInS = 60) => {
  const nowS = Math.floor(Date.now() / 1000);
  const entries = [{ experiment: 'ranking', variant: 'candidate', epoch: 0, unit: '' }];
  return signToken(
    { purpose, audience: '*', issuedS: nowS - 3600, expiresS: nowS + expiresInS, entries },
    key,
  )!;
};

it('what a stranger sends is not believed, is said to be so, and does not go on', async () => {
  const sent = [
    'x-experiment: ranking=candidate',
    'baggage: a=1,fairlead.ranking=candidate',
    'x-experiment-override: always',
  ];
  const { answer } = await explain(...sent.flatMap((line) => ['-H', line]));
  expect(answer.experiments[0]).toMatchObject({
    assigned: 'control',
    reason: expect.stringMatching(/^split/),
  });
  expect(answer.notes).toEqual([
    'the experiment header is not believed at listener edge, so it is ignored and stripped',
    'our baggage is not believed at listener edge, so it is ignored and stripped',
    'the override header is not believed at listener edge, so it is ignored and stripped',
  ]);
  expect(answer.forwarded).toEqual({
    'x-experiment': 'ranking=control',
    baggage: 'a=1,fairlead.ranking=control',
  });
});

it('a signed override is verified like there, and so is a signed context', async () => {
  const good = await explain('-H', `x-experiment-override: ${token('override')}`);
  expect(good.answer.experiments[0]).toMatchObject({ assigned: 'candidate', reason: 'override' });
  expect(good.answer.notes).toEqual(['a signed override is believed']);
  const expired = await explain('-H', `cookie: fairlead_override=${token('override', -1800)}`);
  expect(expired.answer.experiments[0]!.assigned).toBe('control');
  expect(expired.answer.notes).toEqual(['a signed override is refused: expired']);
  const context = await explain('--listener', 'mesh', '-H', `x-experiment-token: ${token('context')}`);
  expect(context.answer.experiments[0]).toMatchObject({ assigned: 'candidate', reason: 'propagated' });
});

it('asks for the address it comes from', async () => {
  const from = (address: string) =>
    explain('--listener', 'mesh', '--client-address', address, '-H', 'x-experiment: ranking=candidate');
  expect((await from('10.1.2.3')).answer.experiments[0]!.assigned).toBe('candidate');
  expect((await from('11.1.2.3')).answer.experiments[0]!.assigned).toBe('control');
});

it('shows that nothing goes to a host that is not internal', async () => {
  const inside = await explain('--outbound', '-H', 'host: prices');
  expect(inside.answer.forwarded).toMatchObject({ 'x-experiment': 'ranking=control' });
  const outside = await explain('--outbound', '-H', 'host: example.com');
  expect(outside.answer.forwarded).toEqual({});
  expect(outside.answer.notes).toEqual(['the host is not internal, so nothing of ours goes there']);
});

it('refuses a listener that is not there', async () => {
  const { code, err } = await explain('--listener', 'egde');
  expect(code).toBe(2);
  expect(err).toContain('did you mean "edge"?');
});
