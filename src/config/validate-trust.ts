/** Trust and token settings that contradict each other, or that believe more than was perhaps meant. Pure. */
import { isIP } from 'node:net';
import { formatAddress } from './address.ts';
import type { ConfigIssue, ConfigPath } from './issue.ts';
import type { IssueAt } from './parse.ts';
import type { Config, ListenerConfig } from './schema.ts';
import type { TrustRuleConfig } from './schema-trust.ts';
import { formatDuration } from './units.ts';

/** A context that holds for longer than a day outlives most reasons for it. */
const TTL_MAX_MS = 86_400_000;

export function trustIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  return [
    ...(config.listeners ?? []).flatMap((listener, index) =>
      listenerIssues(config, listener, index, issueAt),
    ),
    ...tokenIssues(config, issueAt),
    ...egressIssues(config, issueAt),
  ];
}

function listenerIssues(
  config: Config,
  listener: ListenerConfig,
  index: number,
  issueAt: IssueAt,
): ConfigIssue[] {
  const path: ConfigPath = ['listeners', index];
  const { trust } = listener;
  if (trust === undefined) {
    if (!isExposed(listener) || Object.keys(config.experiments).length === 0) return [];
    const message = `whoever reaches ${formatAddress(listener.address)} may choose variants; write trust: { context: none } where strangers do, and trust: { context: any } where only your own services do`;
    return [issueAt(path, message, { severity: 'warning' })];
  }
  const rules: [key: string, rule: TrustRuleConfig][] = [['context', trust.context]];
  if (trust.overrides !== undefined) rules.push(['overrides', trust.overrides]);
  return rules.flatMap(([key, rule]) => ruleIssues(config, listener, [...path, 'trust', key], rule, issueAt));
}

/** In front of the service, and not only for this machine. */
function isExposed({ direction, address }: ListenerConfig): boolean {
  if (direction === 'outbound' || address.kind === 'unix') return false;
  const { host } = address;
  return !(host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.')));
}

function ruleIssues(
  config: Config,
  { tls, address, proxyProtocol }: ListenerConfig,
  path: ConfigPath,
  rule: TrustRuleConfig,
  issueAt: IssueAt,
): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const peers = typeof rule === 'string' ? null : rule;
  const isToken = rule === 'token' || peers?.token === true;
  if (isToken && config.tokens === undefined)
    issues.push(
      issueAt(path, 'tokens are believed here, but there is no key to verify them: add tokens.keys'),
    );
  if (peers === null) return issues;
  if (peers.identities.length > 0 && (tls === undefined || tls.clientCertificate === 'off'))
    issues.push(
      issueAt(
        [...path, 'identities'],
        'this listener asks for no client certificates, so nobody has an identity; set tls.clientCertificate',
      ),
    );
  if (peers.cidrs.length > 0 && address.kind === 'unix' && !proxyProtocol)
    issues.push(
      issueAt([...path, 'cidrs'], 'on a unix socket nobody has an address', { severity: 'warning' }),
    );
  if (peers.cidrs.length === 0 && peers.identities.length === 0 && !peers.token)
    issues.push(issueAt(path, 'this is nobody; write none if that is meant', { severity: 'warning' }));
  return issues;
}

function tokenIssues({ tokens, propagation }: Config, issueAt: IssueAt): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  if (tokens === undefined) {
    if (propagation.sign)
      issues.push(issueAt(['propagation', 'sign'], 'there is no key to sign with: add tokens.keys'));
    return issues;
  }
  const ids = tokens.keys.map(({ id }) => id);
  for (const [index, id] of ids.entries())
    if (ids.indexOf(id) !== index)
      issues.push(
        issueAt(
          ['tokens', 'keys', index, 'id'],
          `two keys are called ${JSON.stringify(id)}; a new key gets a new id`,
        ),
      );
  if (propagation.sign && tokens.keys[0]?.kind === 'public')
    issues.push(
      issueAt(
        ['tokens', 'keys', 0],
        'the first key signs, and this one is a public key, which only verifies',
      ),
    );
  if (tokens.ttl < 1000 || tokens.ttl > TTL_MAX_MS)
    issues.push(issueAt(['tokens', 'ttl'], `found ${formatDuration(tokens.ttl)}; expected from 1s to 24h`));
  return issues;
}

function egressIssues(
  { listeners, routes, propagation, experiments }: Config,
  issueAt: IssueAt,
): ConfigIssue[] {
  const isOutbound = (one: { readonly direction: string }) => one.direction === 'outbound';
  const hasOutbound = (listeners ?? routes ?? []).some(isOutbound);
  const { internalHosts } = propagation;
  if (!hasOutbound)
    return internalHosts === undefined
      ? []
      : [
          issueAt(['propagation', 'internalHosts'], 'there is no outbound listener, so nothing is kept in', {
            severity: 'warning',
          }),
        ];
  if (internalHosts !== undefined || Object.keys(experiments).length === 0) return [];
  const index = (listeners ?? []).findIndex(isOutbound);
  const path = index < 0 ? [] : ['listeners', index];
  const message =
    'calls to every host carry the experiment context; name your own as propagation.internalHosts, such as ["*.svc.cluster.local"], and it stays away from all others';
  return [issueAt(path, message, { severity: 'warning' })];
}
