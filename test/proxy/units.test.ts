/** Units over real sockets: tokens that jose signed, path parameters, addresses, and what is on record. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Algorithm } from '../../src/identity/key.ts';
import { field, type Message } from '../support/message.ts';
import type { RawClient } from '../support/peers.ts';
import type { TestPlane } from '../support/plane.ts';
import { answer, configOf, get, ok, useRig } from '../support/rig.ts';
import { type Signer, signerOf } from '../support/tokens.ts';

const rig = useRig();
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** The settings of these keys, in files of their own. */
function keysOf(signers: readonly Signer[]): object[] {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-keys-'));
  folders.push(folder);
  return signers.map(({ id, algorithm, text }) => {
    const file = join(folder, id);
    writeFileSync(file, text);
    return { id, algorithm, ...(algorithm === 'HS256' ? { secretFile: file } : { publicKeyFile: file }) };
  });
}

interface World {
  readonly plane: TestPlane;
  readonly client: RawClient;
  fetch(target?: string, fields?: string): Promise<Message>;
  reload(settings: object): void;
  /** Unit, source and reason of the last exposure. */
  last(): readonly [string | null, string | null, string] | null;
}

async function world(unit: unknown, settings: object = {}): Promise<World> {
  const upstream = await rig.upstream((request) => request.socket.write(ok()));
  const base = {
    routes: [{ name: 'all', match: { path: '/*' }, upstream: 'app', experiments: ['ranking'] }],
    experiments: {
      ranking: { unit, variants: { control: { weight: '50%' }, candidate: { weight: '50%' } } },
    },
    ...settings,
  };
  const plane = await rig.plane([upstream.endpoint], base);
  const client = rig.client(plane.port);
  return {
    plane,
    client,
    fetch(target = '/', fields = '') {
      client.send(get(target, `X-Experiment-Explain: 1\r\n${fields}`));
      return answer(client);
    },
    reload: (more) => plane.reload(configOf([upstream.endpoint], { ...base, ...more })),
    last() {
      const exposure = plane.exposures.at(-1);
      return exposure === undefined ? null : [exposure.unit, exposure.unitSource, exposure.reason];
    },
  };
}

function bearer(token: string): string {
  return `Authorization: Bearer ${token}\r\n`;
}

function reason(message: Message): string {
  return field(message, 'x-experiment-reason')!.replace('ranking=', '').replace(/:.*/, '');
}

async function refused({ plane }: World): Promise<Record<string, number>> {
  const page = await plane.plane.metrics.render();
  const lines = page.matchAll(/fairlead_tokens_invalid_total\{reason="([^"]*)"\} (\d+)/g);
  return Object.fromEntries([...lines].map(([, name, count]) => [name, Number(count)]));
}

describe('the claim of a token', () => {
  it.each<Algorithm>(['HS256', 'RS256', 'ES256', 'EdDSA'])(
    'is the unit when %s verifies it',
    async (algorithm) => {
      const signer = signerOf(algorithm, 'key-1');
      const at = await world({ claim: '/sub' }, { identity: { jwt: { keys: keysOf([signer]) } } });
      const token = await signer.sign({ sub: 'user-1', exp: Date.now() / 1000 + 60 });
      expect(reason(await at.fetch('/', bearer(token)))).toBe('split');
      expect(at.last()).toEqual(['user-1', 'claim /sub', 'split']);
      const slots = new Set<string>();
      for (let i = 0; i < 5; i++)
        slots.add(field(await at.fetch('/', bearer(token)), 'x-experiment-reason')!);
      expect(slots.size).toBe(1);
      expect(await refused(at)).toEqual({});
    },
  );

  it('is absent when the token is not valid, and the request is served all the same', async () => {
    const signer = signerOf('ES256', 'key-1');
    const impostor = signerOf('ES256', 'key-1');
    const jwt = { keys: keysOf([signer]), issuer: 'https://id', audience: ['shop'] };
    const at = await world([{ claim: '/sub' }, { header: 'x-user-id' }], { identity: { jwt } });
    const good = { sub: 'user-1', iss: 'https://id', aud: 'shop' };
    const second = Math.floor(Date.now() / 1000);
    const tokens = [
      await impostor.sign(good),
      await signer.sign({ ...good, exp: second - 3600 }),
      await signer.sign({ ...good, nbf: second + 3600 }),
      await signer.sign({ ...good, iss: 'https://other' }),
      await signer.sign({ ...good, aud: 'other' }),
      await signer.sign(good, { kid: 'key-2' }),
      'nonsense',
      `${'a'.repeat(9000)}.b.c`,
    ];
    for (const token of tokens) {
      const message = await at.fetch('/', `${bearer(token)}x-user-id: u1\r\n`);
      expect([message.status, at.last()]).toEqual([200, ['u1', 'header x-user-id', 'split']]);
    }
    expect(await refused(at)).toEqual({
      signature: 1,
      expired: 1,
      'not-yet-valid': 1,
      issuer: 1,
      audience: 1,
      'unknown-key': 1,
      malformed: 1,
      'too-long': 1,
    });
    await at.fetch('/', bearer(await signer.sign(good)));
    expect(at.last()?.[1]).toBe('claim /sub');
  });

  it('is not looked for by experiments that read none, so that a bad token is not even counted', async () => {
    const signer = signerOf('HS256', 'key-1');
    const at = await world({ header: 'x-user-id' }, { identity: { jwt: { keys: keysOf([signer]) } } });
    await at.fetch('/', `${bearer('nonsense')}x-user-id: u1\r\n`);
    expect(await refused(at)).toEqual({});
  });

  it('comes out of a cookie where that is configured', async () => {
    const signer = signerOf('EdDSA', 'key-1');
    const at = await world(
      { claim: '/user/id' },
      { identity: { jwt: { cookie: 'session', keys: keysOf([signer]) } } },
    );
    await at.fetch('/', `Cookie: session=${await signer.sign({ user: { id: 17 } })}\r\n`);
    expect(at.last()).toEqual(['17', 'claim /user/id', 'split']);
  });

  it('outlives a rotation of keys: nobody loses a session', async () => {
    const [old, next] = [signerOf('EdDSA', 'old'), signerOf('EdDSA', 'next')];
    const at = await world({ claim: '/sub' }, { identity: { jwt: { keys: keysOf([old]) } } });
    const before = await old.sign({ sub: 'u1' });
    const after = await next.sign({ sub: 'u1' });
    const slotOf = async (token: string) => field(await at.fetch('/', bearer(token)), 'x-experiment-reason');
    const slot = await slotOf(before);
    expect(slot).toMatch(/^ranking=split:/);
    expect(await slotOf(after)).toBe('ranking=no-unit');
    at.reload({ identity: { jwt: { keys: keysOf([next, old]) } } });
    expect([await slotOf(before), await slotOf(after)]).toEqual([slot, slot]);
    at.reload({ identity: { jwt: { keys: keysOf([next]) } } });
    expect([await slotOf(before), await slotOf(after)]).toEqual(['ranking=no-unit', slot]);
  });

  it('that is gone from the request is gone from the decision: nothing is remembered of a connection', async () => {
    const signer = signerOf('HS256', 'key-1');
    const at = await world({ claim: '/sub' }, { identity: { jwt: { keys: keysOf([signer]) } } });
    expect(reason(await at.fetch('/', bearer(await signer.sign({ sub: 'u1' }))))).toBe('split');
    expect(reason(await at.fetch('/'))).toBe('no-unit');
  });
});

describe('a path parameter', () => {
  it('is the unit, decoded, on each route that has it', async () => {
    const at = await world([{ path: 'id' }, { cookie: 'sid' }], {
      routes: [
        { name: 'user', match: { path: '/users/{id}/*' }, upstream: 'app', experiments: ['ranking'] },
        { name: 'cart', match: { path: '/{id}/cart' }, upstream: 'app', experiments: ['ranking'] },
        { name: 'rest', match: { path: '/*' }, upstream: 'app', experiments: ['ranking'] },
      ],
    });
    const unitAt = async (target: string) => {
      await at.fetch(target, 'Cookie: sid=c1\r\n');
      return at.last()?.slice(0, 2);
    };
    expect(await unitAt('/users/42/orders?x=1')).toEqual(['42', 'path parameter id']);
    expect(await unitAt('/J%C3%BCrgen/cart')).toEqual(['Jürgen', 'path parameter id']);
    expect(await unitAt('/elsewhere')).toEqual(['c1', 'cookie sid']);
    expect(await unitAt('/users/43')).toEqual(['43', 'path parameter id']);
  });
});

describe('the address of the client', () => {
  it('is a unit by its prefix, from the connection or its PROXY header, and never from X-Forwarded-For', async () => {
    const upstream = await rig.upstream((request) => request.socket.write(ok()));
    const plane = await rig.plane([upstream.endpoint], {
      listeners: [
        { name: 'plain', address: '127.0.0.1:0' },
        { name: 'proxied', address: '127.0.0.1:0', proxyProtocol: true },
      ],
      routes: [{ name: 'all', match: { path: '/*' }, upstream: 'app', experiments: ['ranking'] }],
      experiments: {
        ranking: {
          unit: { clientAddress: { v4: 24, v6: 56 } },
          variants: { control: {}, candidate: { weight: '50%' } },
        },
      },
    });
    const unitBy = async (listener: string, first: string) => {
      const client = rig.client(plane.portOf(listener));
      client.send(first + get('/', 'X-Forwarded-For: 203.0.113.9\r\n'));
      await answer(client);
      return plane.exposures.at(-1)?.unit;
    };
    expect(await unitBy('plain', '')).toBe('127.0.0.0/24');
    expect(await unitBy('proxied', 'PROXY TCP4 192.0.2.77 192.0.2.1 5000 80\r\n')).toBe('192.0.2.0/24');
    expect(await unitBy('proxied', 'PROXY TCP6 2001:db8:1:2ff::9 2001:db8::1 5000 80\r\n')).toBe(
      '2001:db8:1:200::/56',
    );
  });
});
