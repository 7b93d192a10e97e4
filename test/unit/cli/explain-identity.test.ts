/** `fairlead explain` of who sends a request: tokens, path parameters, addresses and sticky assignments. */
import { createSecretKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ExplainOptions, explainCommand } from '../../../src/cli/explain.ts';
import type { Explanation } from '../../../src/cli/explain-request.ts';
import type { Io } from '../../../src/cli/io.ts';
import { STICKY_MAX_CHARS, type StickyMacKey, writeSticky } from '../../../src/propagation/sticky.ts';
import { signerOf } from '../../support/tokens.ts';

const SECRET = 'a secret of thirty-two characters or more';
const signer = signerOf('EdDSA', 'k1');
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-explain-'));
  writeFileSync(join(folder, 'k1.pem'), signer.text);
});
afterEach(() => rmSync(folder, { recursive: true }));

async function explain(options: Partial<ExplainOptions> = {}): Promise<Explanation> {
  const config = join(folder, 'fairlead.yaml');
  writeFileSync(
    config,
    JSON.stringify({
      version: 1,
      requireMetadata: false,
      upstreams: { v1: '127.0.0.1:9001' },
      routes: [{ name: 'user', match: { path: '/{id}/*' }, upstream: 'v1', experiments: ['ranking'] }],
      identity: {
        jwt: { keys: [{ id: 'k1', algorithm: 'EdDSA', publicKeyFile: join(folder, 'k1.pem') }] },
      },
      stickyKeys: [{ id: 'k1', key: SECRET }],
      experiments: {
        ranking: {
          unit: [{ claim: '/sub' }, { clientAddress: true }, { path: 'id' }],
          sticky: {},
          variants: { control: {}, candidate: { weight: '50%' } },
        },
      },
    }),
  );
  let out = '';
  const io: Io = {
    out: (text) => {
      out += text;
    },
    err: () => {},
    env: {},
    isTerminal: false,
  };
  const base = { config, target: '/7/x', method: 'GET', header: [], output: 'json' as const, showUnit: true };
  await explainCommand({ ...base, ...options }, io);
  return JSON.parse(out) as Explanation;
}

function stickyText(variant: string, issuedS: number): string {
  const key: StickyMacKey = { id: 'k1', key: createSecretKey(Buffer.from(SECRET)) };
  const entry = { experiment: 'ranking', variant, bucketVersion: 1, issuedS, enrolSlot: 0 };
  return writeSticky([entry], 'fairlead_sticky', key, STICKY_MAX_CHARS)!;
}

const nowS = () => Math.floor(Date.now() / 1000);

describe('explain', () => {
  test('verifies the token', async () => {
    const header = [`authorization: Bearer ${await signer.sign({ sub: 'ann' })}`];
    const { experiments, notes } = await explain({ header });
    expect(experiments[0]?.unit).toMatchObject({ source: 'claim /sub', value: 'ann' });
    expect(notes).toEqual(['the token is valid']);
  });

  test('says why a token is not valid, and nothing of it', async () => {
    const token = await signer.sign({ sub: 'ann', exp: 1 });
    const explanation = await explain({ header: [`authorization: Bearer ${token}`] });
    expect(explanation.notes).toEqual(['the token is not valid: expired']);
    expect(explanation.experiments[0]?.unit).toMatchObject({ source: 'path parameter id', value: '7' });
    expect(JSON.stringify(explanation)).not.toContain(token.split('.')[1]);
  });

  test('takes the address that it is told', async () => {
    const { experiments } = await explain({ clientAddress: '2001:db8::1' });
    expect(experiments[0]?.unit).toMatchObject({
      source: 'client address /32 or /128',
      value: '2001:db8::1/128',
    });
  });

  test.each(['control', 'candidate'])('reads a sticky cookie: %s', async (variant) => {
    const { experiments } = await explain({
      header: [`cookie: fairlead_sticky=${stickyText(variant, nowS())}`],
    });
    expect(experiments[0]).toMatchObject({ assigned: variant, reason: 'sticky' });
    expect(experiments[0]?.steps).toContain(`sticky: it was given ${variant} before`);
  });

  test('reads no sticky cookie that is forged or too old', async () => {
    const forged = stickyText('control', nowS()).replace(':control:', ':candidate:');
    for (const text of [forged, stickyText('control', nowS() - 31 * 86_400)]) {
      const { experiments } = await explain({ header: [`cookie: fairlead_sticky=${text}`] });
      expect(experiments[0]?.steps).toContain('sticky: nothing that counts was given out before');
      expect(experiments[0]?.reason).toMatch(/^split:/);
    }
  });
});
