/**
 * Are the certificates and keys of a configuration usable? Looks at what has been read, before it goes into effect,
 * so that making contexts of it cannot fail. Reads no file; no message holds any part of a key.
 *
 * A certificate that has expired is a warning: refusing it would also refuse whatever else is in the same reload, and
 * the clients refuse it by themselves.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import type { ConfigIssue, ConfigPath } from '../config/issue.ts';
import type { IssueAt } from '../config/parse.ts';
import { authorities, certificateBlocks, type KeyPairUse, keyPairs } from '../config/pem.ts';
import type { Config } from '../config/schema.ts';
import type { PemFile } from '../config/schema-tls.ts';

/** A certificate that ends sooner than this is told of. */
const EXPIRES_SOON_MS = 7 * 86_400_000;
const DAY_MS = 86_400_000;

/** Every mistake and warning in the PEM files of a configuration that has them read in. `nowMs` is wall time. */
export function certificateIssues(config: Config, issueAt: IssueAt, nowMs: number): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  for (const pair of keyPairs(config)) issues.push(...keyPairIssues(pair, issueAt, nowMs));
  for (const { path, authorities: file } of authorities(config)) {
    const chain = readChain(file);
    if (typeof chain === 'string') issues.push(issueAt(path, chain));
  }
  return issues;
}

function keyPairIssues(pair: KeyPairUse, issueAt: IssueAt, nowMs: number): ConfigIssue[] {
  const certificatePath: ConfigPath = [...pair.path, 'certificate'];
  const keyPath: ConfigPath = [...pair.path, 'key'];
  const chain = readChain(pair.certificate);
  const key = readKey(pair.key);
  const issues: ConfigIssue[] = [];
  if (typeof chain === 'string') issues.push(issueAt(certificatePath, chain));
  if (typeof key === 'string') issues.push(issueAt(keyPath, key));
  if (typeof chain === 'string' || typeof key === 'string') return issues;
  const mismatch = mismatchOf(pair, chain, key) ?? refusal(pair);
  if (mismatch !== null) return [issueAt(keyPath, mismatch)];
  const warn = (message: string): void => {
    issues.push(issueAt(certificatePath, message, { severity: 'warning' }));
  };
  if (pair.isByName && chain[0]!.subjectAltName === undefined)
    warn(`the certificate in ${pair.certificate.file} is for no name, so it is never chosen`);
  for (const certificate of chain) {
    const problem = validityProblem(certificate, pair.certificate.file, nowMs);
    if (problem !== null) warn(problem);
  }
  return issues;
}

/** The certificates of a file in their order, or what is wrong with it. */
function readChain({ file, pem }: PemFile): X509Certificate[] | string {
  const blocks = certificateBlocks(pem);
  if (blocks.length === 0)
    return `the file ${file} holds no PEM certificate (-----BEGIN CERTIFICATE-----)${hint(pem)}`;
  const chain: X509Certificate[] = [];
  for (const [index, block] of blocks.entries()) {
    try {
      chain.push(new X509Certificate(block));
    } catch {
      return `the ${ordinal(index)} certificate in ${file} cannot be read: it is damaged`;
    }
  }
  return chain;
}

function hint(pem: string): string {
  return /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem) ? ' but a key; are the two files mixed up?' : '';
}

function readKey({ file, pem }: PemFile): KeyObject | string {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) {
    const isCertificate = pem.includes('-----BEGIN CERTIFICATE-----');
    return `the file ${file} holds no PEM private key${isCertificate ? ' but a certificate; are the two files mixed up?' : ''}`;
  }
  if (/-----BEGIN ENCRYPTED|^Proc-Type: 4,ENCRYPTED/m.test(pem))
    return `the key in ${file} is encrypted, and nobody is there to type its passphrase; decrypt it with openssl pkey`;
  try {
    return createPrivateKey(pem);
  } catch {
    return `the key in ${file} cannot be read: it is damaged or of an unknown kind`;
  }
}

function mismatchOf(pair: KeyPairUse, chain: readonly X509Certificate[], key: KeyObject): string | null {
  const match = chain.findIndex((certificate) => certificate.checkPrivateKey(key));
  if (match === 0) return null;
  if (match > 0)
    return `the key belongs to the ${ordinal(match)} certificate in ${pair.certificate.file}; that one has to be the first`;
  return `the key in ${pair.key.file} does not belong to the certificate in ${pair.certificate.file}`;
}

/** What OpenSSL has against the pair, such as a key that is too short; it is asked in the way the proxy will. */
function refusal(pair: KeyPairUse): string | null {
  try {
    // Loaded only where there are certificates.
    process
      .getBuiltinModule('node:tls')
      .createSecureContext({ cert: pair.certificate.pem, key: pair.key.pem });
    return null;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    return `OpenSSL refuses the certificate in ${pair.certificate.file} with its key: ${code}`;
  }
}

function validityProblem(certificate: X509Certificate, file: string, nowMs: number): string | null {
  const leftMs = certificate.validToDate.getTime() - nowMs;
  if (leftMs <= 0) return `a certificate in ${file} expired on ${day(certificate.validToDate)}`;
  if (certificate.validFromDate.getTime() > nowMs)
    return `a certificate in ${file} is not valid before ${certificate.validFromDate.toISOString()}`;
  if (leftMs >= EXPIRES_SOON_MS) return null;
  return `a certificate in ${file} expires on ${day(certificate.validToDate)}, in ${Math.floor(leftMs / DAY_MS)} days`;
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}

function ordinal(index: number): string {
  return ['first', 'second', 'third'][index] ?? `${index + 1}th`;
}
