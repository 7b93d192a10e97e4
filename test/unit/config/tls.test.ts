/** TLS in the configuration: what may be written, what contradicts itself, what is shown of it. */
import { describe, expect, test } from 'vitest';
import { compile } from '../../../src/config/compile.ts';
import { configHash, redact } from '../../../src/config/hash.ts';
import { keyPairs, withPem } from '../../../src/config/pem.ts';
import { EMPTY_RUNTIME } from '../../../src/config/runtime.ts';
import { configOf, issuesOf, minimal, snapshotOf } from '../../support/config.ts';

const KEY_PEM = '-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG\n-----END PRIVATE KEY-----';

function listener(tls: string, rest = ''): string {
  return minimal(`listeners: [{ name: inbound, address: "127.0.0.1:1"${rest}, tls: ${tls} }]`);
}

function upstream(tls: string, endpoint = '127.0.0.1:9001'): string {
  return `version: 1\nupstreams: { app: { endpoints: ["${endpoint}"], tls: ${tls} } }\n`;
}

const pair = 'certificate: /c, key: /k';

describe('a listener', () => {
  test('speaks TLS 1.2 and newer with its certificates, the files read in', () => {
    const config = configOf(listener(`{ ${pair}, sni: [{ certificate: /c2, key: /k2 }] }`));
    const { listeners } = compile(
      withPem(config, (file) => `<${file}>`),
      EMPTY_RUNTIME,
      1,
    );
    expect(listeners[0]?.tls).toEqual({
      keyPairs: [
        { file: '/c', certificate: '</c>', key: '</k>' },
        { file: '/c2', certificate: '</c2>', key: '</k2>' },
      ],
      minVersion: 'TLSv1.2',
      clientCertificate: 'off',
      clientCa: null,
    });
  });

  test('asks for client certificates only with the authorities that sign them, and the other way round', () => {
    expect(issuesOf(listener(`{ ${pair}, clientCertificate: required, clientCa: /ca }`))).toEqual([]);
    expect(issuesOf(listener(`{ ${pair}, clientCertificate: optional }`)).join()).toContain(
      'listeners[0].tls.clientCertificate: optional, but there is no clientCa',
    );
    expect(issuesOf(listener(`{ ${pair}, clientCa: /ca }`)).join()).toContain(
      'listeners[0].tls.clientCa: no client certificate is asked for',
    );
  });

  test('speaks nothing older than TLS 1.2', () => {
    expect(issuesOf(listener(`{ ${pair}, minVersion: "1.1" }`)).join()).toContain('tls.minVersion');
    const { listeners } = snapshotOf(listener(`{ ${pair}, minVersion: "1.3" }`));
    expect(listeners[0]?.tls?.minVersion).toBe('TLSv1.3');
  });

  test('has a file mode only when it is a unix socket', () => {
    const text = minimal('listeners: [{ name: a, address: "127.0.0.1:1", socketMode: "660" }]');
    expect(issuesOf(text)).toEqual([
      '3:60: listeners[0].socketMode: only a unix socket has a file mode, and this is a port',
    ]);
    const socket = minimal('listeners: [{ name: a, address: "unix:/run/a.sock", socketMode: "660" }]');
    expect(snapshotOf(socket).listeners[0]?.socketMode).toBe(0o660);
  });
});

describe('an upstream', () => {
  test('speaks TLS with the defaults when it says true', () => {
    expect(snapshotOf(upstream('true')).upstreams.get('app')?.tls).toEqual({
      ca: null,
      serverName: null,
      subjectAltNames: [],
      keyPair: null,
      minVersion: 'TLSv1.2',
    });
  });

  test('shows a certificate only with its key', () => {
    expect(issuesOf(upstream('{ certificate: /c }')).join()).toContain('a certificate needs its key');
    expect(issuesOf(upstream('{ key: /k }')).join()).toContain('a key needs its certificate');
  });

  test('needs a name to check when it is a unix socket', () => {
    expect(issuesOf(upstream('true', 'unix:/a')).join()).toContain('unix:/a has no host');
    expect(issuesOf(upstream('{ serverName: a.test }', 'unix:/a'))).toEqual([]);
    expect(issuesOf(upstream('{ subjectAltNames: ["spiffe://a/b"] }', 'unix:/a'))).toEqual([]);
  });

  test('has a server name that is a name', () => {
    expect(issuesOf(upstream('{ serverName: 10.0.0.1 }')).join()).toContain('"10.0.0.1" is no host name');
    expect(issuesOf(upstream('{ serverName: "https://a" }')).join()).toContain('is no host name');
    const { upstreams } = snapshotOf(upstream('{ serverName: A.Test }'));
    expect(upstreams.get('app')?.tls?.serverName).toBe('a.test');
  });

  test('cannot be told not to verify', () => {
    expect(issuesOf(upstream('{ insecureSkipVerify: true }')).join()).toContain('unknown key');
    expect(issuesOf(upstream('false'))).not.toEqual([]);
  });
});

describe('a key', () => {
  test('that is written into the configuration itself is refused and not repeated', () => {
    const text = listener(`{ certificate: /c, key: ${JSON.stringify(KEY_PEM)} }`);
    const said = issuesOf(text).join();
    expect(said).toContain('listeners[0].tls.key: this is no file name');
    expect(said).not.toContain('MIGH');
    const fromEnvironment = issuesOf(listener(`{ ${pair} }`), { FAIRLEAD_LISTENERS__0__TLS__KEY: KEY_PEM });
    expect(fromEnvironment.join()).toContain('this is no file name');
    expect(fromEnvironment.join()).not.toContain('MIGH');
  });

  test('is neither shown nor hashed, and neither is a certificate', () => {
    const text = `${listener(`{ ${pair}, clientCertificate: required, clientCa: /ca, sni: [{ ${pair} }] }`)}`;
    const declared = configOf(
      text.replace('"127.0.0.1:9001"', `{ endpoints: ["a:1"], tls: { ${pair}, ca: /ca } }`),
    );
    const read = withPem(declared, () => KEY_PEM);
    expect(JSON.stringify(read).split('MIGH')).toHaveLength(9);
    expect(JSON.stringify(redact(read))).not.toContain('MIGH');
    expect(redact(read).listeners?.[0]?.tls?.key).toEqual({ file: '/k', pem: '[redacted]' });
    expect(configHash(read)).toBe(configHash(declared));
  });

  test('is found wherever one is declared', () => {
    const text = listener(`{ ${pair}, sni: [{ ${pair} }, { ${pair} }] }`).replace(
      '"127.0.0.1:9001"',
      `{ endpoints: ["a:1"], tls: { ${pair} } }`,
    );
    expect(keyPairs(configOf(text)).map(({ path }) => path.join('.'))).toEqual([
      'listeners.0.tls',
      'listeners.0.tls.sni.0',
      'listeners.0.tls.sni.1',
      'upstreams.app.tls',
    ]);
  });
});

test('a client identity that no listener finds out is told of', () => {
  const experiment = [
    'experiments:',
    '  ranking:',
    '    unit: { clientIdentity: true }',
    '    targeting: [{ clientIdentity: true, equals: web }]',
    '    variants: { control: {}, candidate: { weight: 10% } }',
  ];
  expect(issuesOf(minimal(...experiment))).toEqual([
    expect.stringContaining('experiments.ranking.unit: no listener asks for client certificates'),
    expect.stringContaining('targeting[0].clientIdentity: no listener asks for client certificates'),
  ]);
  const asked = listener(`{ ${pair}, clientCertificate: required, clientCa: /ca }`);
  expect(issuesOf(asked + experiment.join('\n'))).toEqual([]);
});
