/**
 * Whom a listener believes: who may send context, and who may override. A question about a connection, asked once
 * for it: neither the address nor the identity of a peer changes. Never looks at what a request says of itself.
 */
import type { Networks } from '../base/networks.ts';

/** Any one of these is enough. */
export interface TrustRule {
  readonly isEveryone: boolean;
  /** Null: no address is trusted for what it is. */
  readonly addresses: Networks | null;
  /** As in verified client certificates, exactly. */
  readonly identities: readonly string[];
  /** What is signed counts, whoever brings it. */
  readonly isTokenEnough: boolean;
}

export interface TrustSettings {
  readonly context: TrustRule;
  readonly overrides: TrustRule;
}

/** As far as trust goes. `address` is `unknown` where there is none. */
export interface TrustedPeer {
  readonly address: string;
  readonly identity: string | null;
}

/** What a listener has that says nothing about trust. */
export const TRUST_EVERYONE: TrustRule = Object.freeze({
  isEveryone: true,
  addresses: null,
  identities: Object.freeze([]),
  isTokenEnough: true,
});

/** Whether what this peer sends counts without a signature. */
export function isTrusted(rule: TrustRule, { address, identity }: TrustedPeer): boolean {
  if (rule.isEveryone) return true;
  if (identity !== null && rule.identities.includes(identity)) return true;
  return rule.addresses?.has(address) === true;
}
