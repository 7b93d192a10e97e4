/** Until when certificates are valid: what the metrics show, and how often the log warns. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { KeyPair, Snapshot } from '../../../src/config/snapshot.ts';
import { Certificates } from '../../../src/proxy/certificates.ts';
import { silentLog } from '../../../src/telemetry/log.ts';
import { Authority } from '../../support/certificates.ts';
import { hasTools } from '../../support/tools.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const hasOpenssl = hasTools('openssl');
let folder: string;
let authority: Authority;
let said: string[];
let certificates: Certificates;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-expiry-'));
  if (hasOpenssl) authority = new Authority(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  said = [];
  certificates = new Certificates({ ...silentLog, warn: (_facts, sentence) => said.push(sentence) });
});

/** Valid for so many days, behind a chain that is valid for 30. */
function pair(days: number, file = 'a.crt'): KeyPair {
  const { certificate, key } = authority.issue('a', { days });
  return {
    file,
    certificate: readFileSync(certificate, 'utf8') + authority.pem,
    key: readFileSync(key, 'utf8'),
  };
}

/** As far as it is read here. */
function snapshot(listener: KeyPair | null, upstream: KeyPair | null = null): Snapshot {
  return {
    listeners: [{ name: 'in', tls: listener === null ? null : { keyPairs: [listener] } }],
    upstreams: new Map([['app', { name: 'app', tls: upstream === null ? null : { keyPair: upstream } }]]),
  } as unknown as Snapshot;
}

describe.skipIf(!hasOpenssl)('certificates', () => {
  test('are shown with their owner and when the first of the chain ends', () => {
    certificates.adopt(snapshot(pair(3), pair(90, 'b.crt')));
    const [listener, upstream] = certificates.list;
    expect(listener).toMatchObject({ owner: 'listener', name: 'in', file: 'a.crt' });
    expect(Math.round((listener!.expiresMs - Date.now()) / DAY_MS)).toBe(3);
    expect(upstream).toMatchObject({ owner: 'upstream', name: 'app', file: 'b.crt' });
    expect(Math.round((upstream!.expiresMs - Date.now()) / DAY_MS)).toBe(30);
    certificates.adopt(snapshot(null));
    expect(certificates.list).toEqual([]);
  });

  test('are warned of from seven days before their end, every twelve hours', () => {
    const now = Date.now();
    certificates.adopt(snapshot(pair(20)));
    certificates.check(now);
    certificates.check(now + 12.9 * DAY_MS);
    expect(said).toEqual([]);
    certificates.check(now + 13.5 * DAY_MS);
    expect(said).toEqual([
      expect.stringMatching(/^the certificate of listener in in a\.crt expires soon: 20/),
    ]);
    certificates.check(now + 13.5 * DAY_MS + 11 * HOUR_MS);
    expect(said).toHaveLength(1);
    certificates.check(now + 13.5 * DAY_MS + 12 * HOUR_MS);
    expect(said).toHaveLength(2);
    certificates.check(now + 21 * DAY_MS);
    expect(said[2]).toContain('has expired');
  });

  test('are warned of once, however often the rules change', () => {
    const soon = snapshot(pair(3));
    const now = Date.now();
    for (let i = 0; i < 5; i++) {
      certificates.adopt(soon);
      certificates.check(now + i);
    }
    expect(said).toHaveLength(1);
    // Another one that ends soon is another matter.
    certificates.adopt(snapshot(pair(4)));
    certificates.check(now + 10);
    expect(said).toHaveLength(2);
  });
});
