/**
 * The numbers of what happens before a request, or instead of one: connections that could not be accepted or did not
 * get through their PROXY header or TLS handshake; and until when the certificates are valid.
 */
import type { Registry } from '@prometheus-io/client';
import { registerCounters } from './counter-family.ts';
import { registerFamily } from './exposition.ts';
import { type LabelBudget, LabelSets } from './label-sets.ts';
import { Counter } from './series.ts';

/** A certificate in force. */
export interface CertificateSample {
  readonly owner: 'listener' | 'upstream';
  /** Of the listener or upstream. */
  readonly name: string;
  readonly file: string;
  /** When the first certificate of the file's chain ends: milliseconds since the epoch. */
  readonly expiresMs: number;
}

export class ConnectionMetrics {
  readonly #acceptFailures: LabelSets<Counter>;
  readonly #headerFailures: LabelSets<Counter>;
  readonly #handshakeFailures: LabelSets<Counter>;
  #certificates: () => Iterable<CertificateSample> = () => [];

  constructor(budget: LabelBudget) {
    const counter = (...names: string[]) => new LabelSets(names, budget, () => new Counter());
    this.#acceptFailures = counter('listener');
    this.#headerFailures = counter('listener', 'reason');
    this.#handshakeFailures = counter('listener', 'reason');
  }

  /** Connections that the system could not hand over, usually for want of file descriptors. */
  acceptFailures(listener: string): Counter {
    return this.#acceptFailures.get(listener);
  }

  /** Connections closed for their PROXY protocol header; `reason` is from a fixed list. */
  headerFailures(listener: string, reason: string): Counter {
    return this.#headerFailures.get(listener, reason);
  }

  /** TLS handshakes of clients that failed; `reason` is from a fixed list. */
  handshakeFailures(listener: string, reason: string): Counter {
    return this.#handshakeFailures.get(listener, reason);
  }

  /** Where the certificates are read at each scrape. */
  setCertificateSource(source: () => Iterable<CertificateSample>): void {
    this.#certificates = source;
  }

  register(registry: Registry): void {
    registerCounters(
      registry,
      this.#acceptFailures,
      'fairlead_accept_failures_total',
      'Failures to accept connections, usually for want of file descriptors.',
    );
    registerCounters(
      registry,
      this.#headerFailures,
      'fairlead_proxy_protocol_failures_total',
      'Connections closed for their PROXY protocol header, by reason.',
    );
    registerCounters(
      registry,
      this.#handshakeFailures,
      'fairlead_tls_handshake_failures_total',
      'TLS handshakes of clients that failed, by reason.',
    );
    registerFamily(registry, {
      name: 'fairlead_certificate_expiry_timestamp_seconds',
      type: 'gauge',
      aggregator: 'first',
      help: 'When the first certificate in the file ends.',
      read: () =>
        Array.from(this.#certificates(), ({ owner, name, file, expiresMs }) => ({
          labels: { owner, name, file },
          value: expiresMs / 1000,
        })),
    });
  }
}
