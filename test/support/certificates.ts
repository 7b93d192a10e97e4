/**
 * Certificates for tests, made with the openssl program: authorities, and what they sign. Files in a folder that goes
 * away with the test. Elliptic keys, which take a few milliseconds.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The files of a certificate and its key. */
export interface Issued {
  readonly certificate: string;
  readonly key: string;
}

export interface IssueOptions {
  /** As in `subjectAltName`: `DNS:a.test`, `IP:127.0.0.1`, `URI:spiffe://a/b`. */
  readonly names?: readonly string[];
  readonly commonName?: string;
  /** Negative: it has expired. */
  readonly days?: number;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}

export class Authority {
  /** Its own certificate. */
  readonly certificate: string;
  readonly #key: string;
  readonly #folder: string;

  constructor(folder: string, name = 'ca') {
    this.#folder = folder;
    this.certificate = join(folder, `${name}.crt`);
    this.#key = join(folder, `${name}.key`);
    const files = ['-keyout', this.#key, '-out', this.certificate];
    openssl('req', '-x509', ...NEW_KEY, '-days', '30', '-subj', `/CN=${name}`, ...files);
  }

  get pem(): string {
    return readFileSync(this.certificate, 'utf8');
  }

  /** Writes NAME.crt and NAME.key, over what is there. */
  issue(name: string, options: IssueOptions = {}): Issued {
    const { names = ['DNS:localhost', 'IP:127.0.0.1'], commonName = name, days = 30 } = options;
    const certificate = join(this.#folder, `${name}.crt`);
    const key = join(this.#folder, `${name}.key`);
    const request = join(this.#folder, `${name}.csr`);
    const extensions = join(this.#folder, `${name}.ext`);
    const lines = ['basicConstraints=critical,CA:FALSE'];
    if (names.length > 0) lines.push(`subjectAltName=${names.join(',')}`);
    writeFileSync(extensions, lines.join('\n'));
    openssl('req', ...NEW_KEY, '-subj', `/CN=${commonName}`, '-keyout', key, '-out', request);
    openssl(
      ...['x509', '-req', '-in', request, '-CA', this.certificate, '-CAkey', this.#key, '-CAcreateserial'],
      ...['-days', String(days), '-extfile', extensions, '-out', certificate],
    );
    return { certificate, key };
  }
}

/** The same key behind a passphrase. */
export function encryptKey(key: string, to: string): void {
  openssl('pkey', '-in', key, '-aes256', '-passout', 'pass:secret', '-out', to);
}
