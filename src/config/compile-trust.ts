/** Whom a listener believes, as declared, to what a connection is asked against. Pure. */
import { Networks } from '../base/networks.ts';
import { TRUST_EVERYONE, type TrustRule, type TrustSettings } from '../routing/trust.ts';
import type { TrustConfig, TrustRuleConfig } from './schema-trust.ts';

/** @param config Undefined: everyone is believed. */
export function compileTrust(config: TrustConfig | undefined): TrustSettings {
  if (config === undefined) return { context: TRUST_EVERYONE, overrides: TRUST_EVERYONE };
  const context = compileRule(config.context);
  return { context, overrides: config.overrides === undefined ? context : compileRule(config.overrides) };
}

function compileRule(rule: TrustRuleConfig): TrustRule {
  if (rule === 'any') return TRUST_EVERYONE;
  const nobody: TrustRule = { isEveryone: false, addresses: null, identities: [], isTokenEnough: false };
  if (rule === 'none') return nobody;
  if (rule === 'token') return { ...nobody, isTokenEnough: true };
  const { cidrs, identities, token } = rule;
  const addresses = new Networks();
  for (const { address, bits } of cidrs) addresses.add(address, bits);
  return {
    isEveryone: false,
    addresses: cidrs.length === 0 ? null : addresses,
    identities,
    isTokenEnough: token,
  };
}
