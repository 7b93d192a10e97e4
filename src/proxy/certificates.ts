/** The certificates of the Snapshot in force: until when they are valid, for the metrics and for a warning in time. */
import { X509Certificate } from 'node:crypto';
import { certificateBlocks } from '../config/pem.ts';
import type { KeyPair, Snapshot } from '../config/snapshot.ts';
import type { CertificateSample } from '../telemetry/connection-metrics.ts';
import type { Log } from '../telemetry/log.ts';

/** A certificate that ends sooner than this is worth a line in the log. */
const EXPIRES_SOON_MS = 7 * 86_400_000;
/** And another one after this. */
const WARN_AGAIN_MS = 12 * 3_600_000;

export class Certificates {
  list: readonly CertificateSample[] = [];
  readonly #log: Log;
  /** When each was last warned of, by file and end. Those that are gone are forgotten. */
  #warned = new Map<string, number>();
  #nextCheckMs = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  adopt(snapshot: Snapshot): void {
    const list: CertificateSample[] = [];
    for (const { name, tls } of snapshot.listeners)
      for (const pair of tls?.keyPairs ?? []) list.push({ owner: 'listener', name, ...validity(pair) });
    for (const { name, tls } of snapshot.upstreams.values())
      if (tls?.keyPair) list.push({ owner: 'upstream', name, ...validity(tls.keyPair) });
    this.list = list;
    this.#nextCheckMs = 0;
  }

  /** Warns of what ends soon. To be called now and then; `wallMs` is wall time. */
  check(wallMs: number): void {
    if (wallMs < this.#nextCheckMs) return;
    this.#nextCheckMs = wallMs + WARN_AGAIN_MS;
    const before = this.#warned;
    this.#warned = new Map();
    for (const { owner, name, file, expiresMs } of this.list) {
      if (expiresMs - wallMs >= EXPIRES_SOON_MS) continue;
      const key = `${owner} ${name} ${file} ${expiresMs}`;
      const lastMs = before.get(key) ?? Number.NEGATIVE_INFINITY;
      const isDue = wallMs - lastMs >= WARN_AGAIN_MS;
      this.#warned.set(key, isDue ? wallMs : lastMs);
      if (isDue) this.#warn(`${owner} ${name}`, file, expiresMs, wallMs);
    }
  }

  #warn(whose: string, file: string, expiresMs: number, wallMs: number): void {
    const when = new Date(expiresMs).toISOString();
    const verb = expiresMs <= wallMs ? 'has expired' : 'expires soon';
    this.#log.warn({ file, expires: when }, `the certificate of ${whose} in ${file} ${verb}: ${when}`);
  }
}

function validity({ file, certificate }: KeyPair): { file: string; expiresMs: number } {
  const ends = certificateBlocks(certificate).map((pem) => new X509Certificate(pem).validToDate.getTime());
  return { file, expiresMs: Math.min(...ends) };
}
