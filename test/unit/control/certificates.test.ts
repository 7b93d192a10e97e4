/** The PEM files of a configuration: which are refused, where it is said, and that nothing of a key is. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatIssue } from '../../../src/config/issue.ts';
import { loadConfig } from '../../../src/control/source.ts';
import { ControlState, type ReloadResult } from '../../../src/control/state.ts';
import { Authority, encryptKey, type Issued } from '../../support/certificates.ts';
import { hasTools } from '../../support/tools.ts';

const hasOpenssl = hasTools('openssl');
let folder: string;
let authority: Authority;
let server: Issued;
let other: Issued;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-pem-'));
  if (!hasOpenssl) return;
  authority = new Authority(folder);
  server = authority.issue('server');
  other = authority.issue('other');
});

afterAll(() => rmSync(folder, { recursive: true }));

function path(name: string, text?: string | Buffer): string {
  const file = join(folder, name);
  if (text !== undefined) writeFileSync(file, text);
  return file;
}

function write(tls: object, more: object = {}): string {
  const config = {
    version: 1,
    listeners: [{ name: 'inbound', address: '127.0.0.1:0', tls }],
    upstreams: { app: '127.0.0.1:9001' },
    ...more,
  };
  return path('fairlead.yaml', JSON.stringify(config));
}

/** What is said of a listener with these settings: `path: message`. */
async function said(tls: object, wallMs = Date.now()): Promise<string[]> {
  const clock = { now: () => 0, wallMs: () => wallMs };
  const { issues } = await loadConfig({ file: write(tls), environment: {}, clock });
  return issues.map((issue) => formatIssue(issue).replace(/^[^ ]*:\d+:\d+: /, ''));
}

describe.skipIf(!hasOpenssl)('a certificate and its key', () => {
  test('that fit are read into the snapshot, and their files are watched', async () => {
    const { config, files, issues } = await loadConfig({ file: write(server), environment: {} });
    expect(issues).toEqual([]);
    expect(config?.listeners?.[0]?.tls?.key.pem).toBe(readFileSync(server.key, 'utf8'));
    expect(files).toEqual([join(folder, 'fairlead.yaml'), server.certificate, server.key]);
  });

  test('that do not fit are refused at the key, with the place in the file', async () => {
    const { config, issues } = await loadConfig({
      file: write({ ...server, key: other.key }),
      environment: {},
    });
    expect(config).toBeNull();
    expect(issues).toHaveLength(1);
    expect(issues[0]).toMatchObject({ severity: 'error', line: 1, path: 'listeners[0].tls.key' });
    expect(issues[0]!.column).toBeGreaterThan(100);
    expect(issues[0]!.message).toBe(
      `the key in ${other.key} does not belong to the certificate in ${server.certificate}`,
    );
  });

  test('of which the certificate comes second are refused with what to do', async () => {
    const chain = path('turned.crt', authority.pem + readFileSync(server.certificate, 'utf8'));
    expect(await said({ ...server, certificate: chain })).toEqual([
      `listeners[0].tls.key: the key belongs to the second certificate in ${chain}; that one has to be the first`,
    ]);
  });

  test('in a chain are read with their intermediates', async () => {
    const chain = path('chain.crt', readFileSync(server.certificate, 'utf8') + authority.pem);
    expect(await said({ ...server, certificate: chain })).toEqual([]);
  });

  test.each([
    ['a missing file', () => path('nowhere'), /there is no file .*nowhere/],
    ['an empty file', () => path('empty', ' \n'), /is empty; expected PEM in it/],
    ['text that is no PEM', () => path('text', 'hello'), /holds no PEM certificate/],
    ['binary DER', () => path('der', Buffer.from([0x30, 0x82, 0xff, 0xfe])), /is not UTF-8 text/],
    ['the key', () => server.key, /holds no PEM certificate .* but a key; are the two files mixed up/],
    [
      'a damaged certificate',
      () =>
        path(
          'damaged',
          readFileSync(server.certificate, 'utf8').replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA'),
        ),
      /the first certificate in .*damaged cannot be read/,
    ],
  ])('%s in place of the certificate is refused', async (_, file, message) => {
    const [first, ...others] = await said({ ...server, certificate: file() });
    expect(first).toMatch(/^listeners\[0\]\.tls\.certificate: /);
    expect(first).toMatch(message);
    expect(others).toEqual([]);
  });

  test.each([
    ['a certificate', () => server.certificate, /holds no PEM private key but a certificate/],
    [
      'an encrypted key',
      () => {
        encryptKey(server.key, path('encrypted.key'));
        return path('encrypted.key');
      },
      /is encrypted, and nobody is there to type its passphrase/,
    ],
    [
      'a damaged key',
      () =>
        path('damaged.key', readFileSync(server.key, 'utf8').replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA')),
      /cannot be read: it is damaged/,
    ],
  ])('%s in place of the key is refused, and nothing of it is said', async (_, file, message) => {
    const key = file();
    const [first, ...others] = await said({ ...server, key });
    expect(first).toMatch(/^listeners\[0\]\.tls\.key: /);
    expect(first).toMatch(message);
    expect(others).toEqual([]);
    for (const line of readFileSync(key, 'utf8').split('\n').slice(1, -2)) expect(first).not.toContain(line);
  });

  test('that have expired, will soon, or are not valid yet are a warning: a reload must not hang on them', async () => {
    const day = 86_400_000;
    const { config } = await loadConfig({
      file: write(authority.issue('old', { days: -1 })),
      environment: {},
    });
    expect(config).not.toBeNull();
    expect((await said(authority.issue('old', { days: -1 }))).join()).toMatch(
      /warning: listeners\[0\]\.tls\.certificate: a certificate in .*old\.crt expired on \d{4}-\d\d-\d\d$/,
    );
    expect((await said(server, Date.now() + 27 * day)).join()).toMatch(/expires on .*, in 2 days$/);
    expect(await said(server, Date.now() + 20 * day)).toEqual([]);
    expect((await said(server, Date.now() - 2 * day)).join()).toMatch(/is not valid before/);
  });

  test('that are chosen by name need one', async () => {
    const nameless = authority.issue('nameless', { names: [] });
    expect(await said(nameless)).toEqual([]);
    expect((await said({ ...server, sni: [nameless] })).join()).toMatch(/warning: .*is for no name/);
  });
});

describe.skipIf(!hasOpenssl)('authorities', () => {
  test('are read, however many', async () => {
    const bundle = path('bundle.crt', authority.pem);
    appendFileSync(bundle, new Authority(folder, 'second').pem);
    const { config, issues } = await loadConfig({
      file: write({ ...server, clientCertificate: 'required', clientCa: bundle }),
      environment: {},
    });
    expect(issues).toEqual([]);
    expect(config?.listeners?.[0]?.tls?.clientCa?.pem.match(/BEGIN/g)).toHaveLength(2);
  });

  test('that are no certificates are refused', async () => {
    const clientCa = path('ca.txt', 'unknown CA text');
    expect((await said({ ...server, clientCertificate: 'required', clientCa })).join()).toMatch(
      /listeners\[0\]\.tls\.clientCa: the file .*ca\.txt holds no PEM certificate/,
    );
  });
});

describe.skipIf(!hasOpenssl)('a reload', () => {
  const quiet = { environment: {}, clock: { now: () => 0, wallMs: () => Date.now() }, onEvent: () => {} };
  const outcome = ({ ok, changed, restartNeeded }: ReloadResult) => ({ ok, changed, restartNeeded });

  test('takes up another certificate without a restart and under the same hash; a bad one changes nothing', async () => {
    const rotated = authority.issue('rotated');
    const control = await ControlState.open({ file: write(rotated), ...quiet });
    const { hash } = control.snapshot;
    const before = control.snapshot.listeners[0]?.tls?.keyPairs[0]?.key;
    expect(outcome(await control.reload('file'))).toMatchObject({ ok: true, changed: false });

    authority.issue('rotated');
    expect(outcome(await control.reload('file'))).toEqual({ ok: true, changed: true, restartNeeded: [] });
    const after = control.snapshot.listeners[0]?.tls?.keyPairs[0]?.key;
    expect(after).not.toBe(before);
    expect(control.snapshot.hash).toBe(hash);

    writeFileSync(rotated.key, readFileSync(other.key));
    expect(outcome(await control.reload('file'))).toMatchObject({ ok: false, changed: false });
    expect(control.snapshot.listeners[0]?.tls?.keyPairs[0]?.key).toBe(after);
    expect(JSON.stringify(control.view())).not.toContain('BEGIN');
  });

  test('that turns TLS on or off needs a restart', async () => {
    const control = await ControlState.open({ file: write(server), ...quiet });
    path(
      'fairlead.yaml',
      JSON.stringify({
        version: 1,
        listeners: [{ name: 'inbound', address: '127.0.0.1:0' }],
        upstreams: { app: '127.0.0.1:9001' },
      }),
    );
    expect((await control.reload('file')).restartNeeded).toEqual(['listeners']);
  });
});
