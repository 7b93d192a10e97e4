/**
 * TLS and socket settings that contradict each other. Pure; what is in the certificates is checked by
 * `control/certificates.ts`.
 */
import type { TargetingRule } from '../experiment/targeting-rule.ts';
import type { ConfigIssue, ConfigPath } from './issue.ts';
import type { IssueAt } from './parse.ts';
import type { Config } from './schema.ts';
import { rulesIn } from './targeting-rules.ts';

/** Every mistake and warning in the TLS and unix-socket settings of listeners and upstreams. */
export function socketIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  return [
    ...listenerIssues(config, issueAt),
    ...upstreamIssues(config, issueAt),
    ...identityIssues(config, issueAt),
  ];
}

function listenerIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  for (const [index, { address, socketMode, tls }] of (config.listeners ?? []).entries()) {
    const path: ConfigPath = ['listeners', index];
    if (socketMode !== undefined && address.kind === 'tcp')
      issues.push(issueAt([...path, 'socketMode'], 'only a unix socket has a file mode, and this is a port'));
    if (tls === undefined) continue;
    const { clientCertificate, clientCa } = tls;
    if (clientCertificate !== 'off' && clientCa === undefined) {
      const message = `${clientCertificate}, but there is no clientCa: name the file of the authorities that sign them`;
      issues.push(issueAt([...path, 'tls', 'clientCertificate'], message));
    }
    if (clientCertificate === 'off' && clientCa !== undefined) {
      const message = 'no client certificate is asked for; set clientCertificate to required or optional';
      issues.push(issueAt([...path, 'tls', 'clientCa'], message));
    }
  }
  return issues;
}

function upstreamIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  for (const [name, { endpoints, tls }] of Object.entries(config.upstreams)) {
    if (tls === undefined) continue;
    const path: ConfigPath = ['upstreams', name, 'tls'];
    if (tls.certificate !== undefined && tls.key === undefined)
      issues.push(issueAt([...path, 'certificate'], 'a certificate needs its key as well'));
    if (tls.key !== undefined && tls.certificate === undefined)
      issues.push(issueAt([...path, 'key'], 'a key needs its certificate as well'));
    const isNamed = tls.serverName !== undefined || tls.subjectAltNames !== undefined;
    const socket = endpoints.find(({ address }) => address.kind === 'unix');
    if (socket !== undefined && !isNamed) {
      const message = `${socket.id} has no host that its certificate could be for; give a serverName or subjectAltNames`;
      issues.push(issueAt(path, message, { isKey: true }));
    }
  }
  return issues;
}

/** An identity that no listener can find out. */
function identityIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const isAsked = config.listeners?.some(({ tls }) => tls !== undefined && tls.clientCertificate !== 'off');
  if (isAsked === true) return [];
  const message = 'no listener asks for client certificates, so there is never a client identity';
  const issues: ConfigIssue[] = [];
  const warn = (path: ConfigPath): void => {
    issues.push(issueAt(path, message, { severity: 'warning' }));
  };
  const look = (rules: readonly TargetingRule[], at: ConfigPath): void => {
    for (const { rule, path } of rulesIn(rules, at))
      if (rule.clientIdentity === true) warn([...path, 'clientIdentity']);
  };
  for (const [name, { rules }] of Object.entries(config.segments))
    look(rules ?? [], ['segments', name, 'rules']);
  for (const [name, { unit, targeting }] of Object.entries(config.experiments)) {
    look(targeting, ['experiments', name, 'targeting']);
    if (unit?.some((source) => source.clientIdentity === true)) warn(['experiments', name, 'unit']);
  }
  return issues;
}
