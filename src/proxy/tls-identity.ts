/** Who a certificate says its owner is. Looks only at certificates that have been verified; verifies none itself. */
import type { X509Certificate } from 'node:crypto';

const SPIFFE = 'spiffe://';

/**
 * A client's identity: the SPIFFE URI, else the common name; null when it says neither, or neither clearly. A SPIFFE
 * certificate has exactly one URI (X.509-SVID section 2), and no common name passes for one.
 */
export function identityOf(certificate: X509Certificate): string | null {
  const names = altNames(certificate.subjectAltName ?? '');
  if (names === null) return null;
  const uris = names.filter(({ kind }) => kind === 'URI').map(({ value }) => value);
  if (uris.some((uri) => uri.startsWith(SPIFFE))) return uris.length === 1 ? uris[0]! : null;
  const name: unknown = certificate.toLegacyObject().subject?.CN;
  return typeof name === 'string' && name !== '' && !name.startsWith(SPIFFE) ? name : null;
}

/** Whether one of `wanted` is among a certificate's names, letter by letter; case counts for URIs only. */
export function hasAltName(subjectAltName: string, wanted: readonly string[]): boolean {
  const names = altNames(subjectAltName) ?? [];
  const exact = new Set(names.filter(({ kind }) => kind === 'URI').map(({ value }) => value));
  const others = names.filter(({ kind }) => kind === 'DNS' || kind === 'IP Address');
  const caseless = new Set(others.map(({ value }) => value.toLowerCase()));
  return wanted.some((name) => (name.includes('://') ? exact.has(name) : caseless.has(name.toLowerCase())));
}

interface AltName {
  readonly kind: string;
  readonly value: string;
}

/**
 * Node's text of the names, `DNS:a.test, URI:"spiffe://a, b"`, taken apart: what could be mistaken for several names
 * is in quotes, as a JSON string. Null when it cannot be read to its end.
 */
function altNames(text: string): AltName[] | null {
  const name = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)/y;
  const names: AltName[] = [];
  while (name.lastIndex < text.length) {
    const match = name.exec(text);
    if (match === null) return null;
    const [, kind = '', value = ''] = match;
    names.push({ kind, value: value.startsWith('"') ? String(JSON.parse(value)) : value });
  }
  return names;
}
