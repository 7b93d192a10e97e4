/** Declared TLS settings, their files read in, to what the data plane makes contexts of. Pure. */
import type { ListenerTlsConfig, PemFile, UpstreamTlsConfig } from './schema-tls.ts';
import type { KeyPair, ListenerTls, TlsVersion, UpstreamTls } from './snapshot.ts';

export function compileListenerTls(config: ListenerTlsConfig): ListenerTls {
  const { certificate, key, sni, clientCertificate, clientCa } = config;
  return {
    keyPairs: [keyPair(certificate, key), ...sni.map((pair) => keyPair(pair.certificate, pair.key))],
    minVersion: version(config.minVersion),
    clientCertificate,
    clientCa: clientCa?.pem ?? null,
  };
}

export function compileUpstreamTls(config: UpstreamTlsConfig): UpstreamTls {
  const { ca, serverName, subjectAltNames, certificate, key } = config;
  return {
    ca: ca?.pem ?? null,
    serverName: serverName ?? null,
    subjectAltNames: subjectAltNames ?? [],
    keyPair: certificate === undefined || key === undefined ? null : keyPair(certificate, key),
    minVersion: version(config.minVersion),
  };
}

function keyPair(certificate: PemFile, key: PemFile): KeyPair {
  return { file: certificate.file, certificate: certificate.pem, key: key.pem };
}

function version(text: '1.2' | '1.3'): TlsVersion {
  return `TLSv${text}`;
}
