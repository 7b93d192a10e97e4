/**
 * What a listener needs to keep its trust: bound once per Snapshot. Null for a listener that believes everyone and has
 * nothing to sign, to verify or to keep in, so that its requests pay nothing.
 */
import type { Clock } from '../base/clock.ts';
import type { ListenerSettings, PropagationSettings, Snapshot } from '../config/snapshot.ts';
import type { Experiment } from '../experiment/model.ts';
import { TokenSigner } from '../propagation/token-signer.ts';
import { TokenVerifier } from '../propagation/token-verifier.ts';
import type { HostSet } from '../routing/host-set.ts';
import type { TrustSettings } from '../routing/trust.ts';
import type { Counter, Metrics } from '../telemetry/metrics.ts';
import type { TrustMetrics } from '../telemetry/trust-metrics.ts';

/** The tokens of a Snapshot: its listeners share what has been verified and signed. */
export interface TokenPlan {
  readonly verifier: TokenVerifier | null;
  readonly signer: TokenSigner | null;
}

/** By what names a request can have something of ours, `baggage` aside. */
export interface OwnNames {
  /** Lower case. */
  readonly fields: readonly string[];
  readonly cookies: readonly string[];
}

export interface TrustPlan extends TokenPlan {
  readonly listener: string;
  readonly trust: TrustSettings;
  readonly propagation: PropagationSettings;
  readonly experiments: ReadonlyMap<string, Experiment>;
  /** Where context may go; null: anywhere. */
  readonly internalHosts: HostSet | null;
  /** What goes nowhere else. */
  readonly own: OwnNames;
  readonly metrics: TrustMetrics;
  /** Of `metrics`, what is counted again and again: looked up once. Null: it cannot happen. */
  readonly signedCount: Counter | null;
  readonly acceptedCount: Counter | null;
  readonly clock: Pick<Clock, 'wallMs'>;
}

export function tokenPlan({ tokens, propagation, service }: Snapshot): TokenPlan {
  if (tokens === null) return { verifier: null, signer: null };
  return {
    verifier: new TokenVerifier(tokens, service),
    signer: propagation.sign ? new TokenSigner(tokens) : null,
  };
}

export function trustPlan(
  { name, direction, trust }: Pick<ListenerSettings, 'name' | 'direction' | 'trust'>,
  snapshot: Snapshot,
  tokens: TokenPlan,
  { metrics, clock }: { readonly metrics: Pick<Metrics, 'trust'>; readonly clock: Pick<Clock, 'wallMs'> },
): TrustPlan | null {
  const { propagation, experiments } = snapshot;
  const internalHosts = direction === 'outbound' ? propagation.internalHosts : null;
  const isOpen = trust.context.isEveryone && trust.overrides.isEveryone;
  if (isOpen && tokens.verifier === null && internalHosts === null) return null;
  return {
    listener: name,
    trust,
    propagation,
    experiments,
    internalHosts,
    own: internalHosts === null ? NOTHING : ownNames(snapshot),
    ...tokens,
    metrics: metrics.trust,
    signedCount: tokens.signer === null ? null : metrics.trust.signed(name, 'signed'),
    acceptedCount: tokens.verifier === null ? null : metrics.trust.tokens(name, 'context', 'accepted'),
    clock,
  };
}

const NOTHING: OwnNames = { fields: [], cookies: [] };

function ownNames({ propagation, stickyIssues, experiments, routes }: Snapshot): OwnNames {
  const { header, overrideHeader, explainHeader, tokenHeader, overrideCookie } = propagation;
  const fields = new Set([header, overrideHeader, explainHeader, tokenHeader]);
  const cookies = new Set([overrideCookie]);
  for (const { place } of stickyIssues.values()) (place.kind === 'cookie' ? cookies : fields).add(place.name);
  for (const { bucketHeader } of experiments.values()) if (bucketHeader !== null) fields.add(bucketHeader);
  for (const { cache } of [...routes.inbound.all, ...routes.outbound.all])
    if (cache.keyHint !== null) fields.add(cache.keyHint);
  return { fields: [...fields], cookies: [...cookies] };
}
