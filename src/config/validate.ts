/**
 * What the shape of single values cannot say: references, sums, uniqueness, and settings that contradict each
 * other. Pure. Every mistake is reported, not only the first.
 */
import { formatPathMatch, hostName } from '../routing/match.ts';
import { formatAddress } from './address.ts';
import { accessIssues } from './admin-access.ts';
import type { ConfigIssue, ConfigPath } from './issue.ts';
import type { IssueAt } from './parse.ts';
import type { Config, RouteConfig } from './schema.ts';
import type { ExperimentConfig } from './schema-experiment.ts';
import { didYouMean } from './suggest.ts';
import { checkAlgorithm } from './validate-algorithm.ts';
import { analysisIssues } from './validate-analysis.ts';
import { breakerIssues } from './validate-breaker.ts';
import { decisionIssues } from './validate-decisions.ts';
import { exposureIssues } from './validate-exposures.ts';
import { faultIssues } from './validate-fault.ts';
import { identityIssues } from './validate-identity.ts';
import { layerIssues } from './validate-layers.ts';
import { lifecycleIssues } from './validate-lifecycle.ts';
import { mirrorIssues } from './validate-mirror.ts';
import { overloadIssues } from './validate-overload.ts';
import { hasPayload, payloadIssues } from './validate-payload.ts';
import { retryIssues } from './validate-retry.ts';
import { rolloutIssues } from './validate-rollout.ts';
import { targetingIssues } from './validate-targeting.ts';
import { socketIssues } from './validate-tls.ts';
import { trafficIssues } from './validate-traffic.ts';
import { trustIssues } from './validate-trust.ts';
import { upstreamIssues } from './validate-upstream.ts';
import { webhookIssues } from './webhooks.ts';
import { fallbackName, weightsProblem } from './weights.ts';

/** Every mistake and warning in a configuration whose shape is right. */
export function validate(config: Config, issueAt: IssueAt): ConfigIssue[] {
  return [
    ...listenerIssues(config, issueAt),
    ...upstreamIssues(config, issueAt),
    ...socketIssues(config, issueAt),
    ...trustIssues(config, issueAt),
    ...routeIssues(config, issueAt),
    ...Object.entries(config.experiments).flatMap(([name, experiment]) =>
      experimentIssues(config, name, experiment, issueAt),
    ),
    ...targetingIssues(config, issueAt),
    ...layerIssues(config, issueAt),
    ...lifecycleIssues(config, issueAt),
    ...payloadIssues(config, issueAt),
    ...identityIssues(config, issueAt),
    ...saltIssues(config, issueAt),
    ...settingIssues(config, issueAt),
    ...decisionIssues(config, issueAt),
    ...trafficIssues(config, issueAt),
    ...retryIssues(config, issueAt),
    ...faultIssues(config, issueAt),
    ...overloadIssues(config, issueAt),
    ...webhookIssues(config, issueAt),
    ...rolloutIssues(config, issueAt),
    ...mirrorIssues(config, issueAt),
    ...analysisIssues(config, issueAt),
  ];
}

function listenerIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const names = new Map<string, number>();
  const addresses = new Map<string, string>();
  const issues: ConfigIssue[] = [];
  for (const key of ['address', 'probeAddress'] as const) {
    const address = config.admin[key];
    if (address === null) continue;
    const text = formatAddress(address);
    const other = addresses.get(text);
    if (other !== undefined && !text.endsWith(':0'))
      issues.push(issueAt(['admin', key], `${text} is taken by ${other} as well`));
    addresses.set(text, `admin.${key}`);
  }
  for (const [index, listener] of (config.listeners ?? []).entries()) {
    const text = formatAddress(listener.address);
    const other = addresses.get(text);
    if (names.has(listener.name))
      issues.push(
        issueAt(['listeners', index, 'name'], `two listeners are called ${JSON.stringify(listener.name)}`),
      );
    if (other !== undefined && !text.endsWith(':0')) {
      issues.push(issueAt(['listeners', index, 'address'], `${text} is taken by ${other} as well`));
    }
    names.set(listener.name, index);
    addresses.set(text, `listener ${JSON.stringify(listener.name)}`);
  }
  return issues;
}

function routeIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const upstreams = Object.keys(config.upstreams);
  if (config.routes === undefined) {
    return upstreams.length > 1
      ? [
          issueAt(
            [],
            `routes are missing; with ${upstreams.length} upstreams they say which requests go where`,
          ),
        ]
      : [];
  }
  const issues: ConfigIssue[] = [];
  const names = new Set<string>();
  for (const [index, route] of config.routes.entries()) {
    const at = (keys: ConfigPath, message: string, severity: ConfigIssue['severity'] = 'error'): void => {
      issues.push(issueAt(['routes', index, ...keys], message, { severity }));
    };
    if (names.has(route.name)) at(['name'], `two routes are called ${JSON.stringify(route.name)}`);
    names.add(route.name);
    if (route.upstream === undefined && upstreams.length > 1) {
      at([], `the route ${JSON.stringify(route.name)} has no upstream; name one of ${upstreams.join(', ')}`);
    } else if (route.upstream !== undefined && !Object.hasOwn(config.upstreams, route.upstream)) {
      at(
        ['upstream'],
        `there is no upstream ${JSON.stringify(route.upstream)}${didYouMean(route.upstream, upstreams)}`,
      );
    }
    routeExperimentIssues(config, route, at);
  }
  return [...issues, ...ambiguityIssues(config.routes, issueAt), ...listenerlessIssues(config, issueAt)];
}

function routeExperimentIssues(
  config: Config,
  route: RouteConfig,
  at: (keys: ConfigPath, message: string, severity?: ConfigIssue['severity']) => void,
): void {
  const choosing: string[] = [];
  for (const [index, name] of route.experiments.entries()) {
    const experiment = Object.hasOwn(config.experiments, name) ? config.experiments[name] : undefined;
    if (experiment === undefined) {
      at(
        ['experiments', index],
        `there is no experiment ${JSON.stringify(name)}${didYouMean(name, Object.keys(config.experiments))}`,
      );
      continue;
    }
    if (route.experiments.indexOf(name) !== index)
      at(['experiments', index], `the experiment ${JSON.stringify(name)} is listed twice`);
    const choosesUpstream = Object.values(experiment.variants).some(
      (variant) => variant.upstream !== undefined,
    );
    if (choosesUpstream) choosing.push(name);
    if (choosesUpstream && choosing.length > 1) {
      const message = `${choosing.join(' and ')} both choose an upstream; a request that is in both goes to that of ${choosing[0]}`;
      at(['experiments', index], message, 'warning');
    }
  }
}

/** Two routes with the same host, path shape and method: only the first would ever be used. */
function ambiguityIssues(routes: readonly RouteConfig[], issueAt: IssueAt): ConfigIssue[] {
  const owners = new Map<string, string>();
  const issues: ConfigIssue[] = [];
  for (const [index, route] of routes.entries()) {
    const path = formatPathMatch(route.match.path).replaceAll(/\{[^}]*\}/g, '{}');
    for (const host of (route.match.host ?? ['']).map(hostName)) {
      for (const method of route.match.method ?? ['']) {
        const key = `${route.direction} ${method} ${host} ${path}`;
        const other = owners.get(key);
        if (other !== undefined) {
          const what = `${method === '' ? 'any method' : method} ${host === '' ? 'any host' : host} ${path}`;
          const message = `the routes ${JSON.stringify(other)} and ${JSON.stringify(route.name)} both match ${what}; the second would never be used`;
          issues.push(issueAt(['routes', index, 'match'], message));
        }
        owners.set(key, other ?? route.name);
      }
    }
  }
  return issues;
}

function listenerlessIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const { listeners } = config;
  if (listeners === undefined) return [];
  return (config.routes ?? []).flatMap((route, index) =>
    listeners.some((listener) => listener.direction === route.direction)
      ? []
      : [
          issueAt(['routes', index], `no listener is ${route.direction}, so this route is never used`, {
            severity: 'warning',
          }),
        ],
  );
}

function experimentIssues(
  config: Config,
  name: string,
  experiment: ExperimentConfig,
  issueAt: IssueAt,
): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const at = (
    keys: ConfigPath,
    message: string,
    options?: { isKey?: boolean; severity?: ConfigIssue['severity'] },
  ): void => {
    issues.push(issueAt(['experiments', name, ...keys], message, options));
  };
  if (name === 'always' || name === 'never')
    at([], `${name} is what an override says for every experiment; choose another name`, { isKey: true });
  const variants = Object.keys(experiment.variants);
  if (variants.length < 2)
    at(
      ['variants'],
      `found ${variants.length === 0 ? 'no variant' : `only the variant ${variants[0]}`}; an experiment has at least two`,
    );
  fallbackIssues(experiment, at);
  checkAlgorithm(experiment, at);
  const weights = variants.length === 0 ? null : weightsProblem(experiment);
  if (weights !== null) at(['variants'], weights, { isKey: true });
  for (const [variant, { upstream }] of Object.entries(experiment.variants)) {
    if (upstream === undefined || Object.hasOwn(config.upstreams, upstream)) continue;
    const near = didYouMean(upstream, Object.keys(config.upstreams));
    at(['variants', variant, 'upstream'], `there is no upstream ${JSON.stringify(upstream)}${near}`);
  }
  breakerIssues(experiment, at);
  if (config.routes !== undefined && !isUsed(config, config.routes, name)) {
    at([], 'no route lists this experiment, so it takes no traffic', { isKey: true, severity: 'warning' });
  }
  return issues;
}

/** On a route, required by another experiment, or a flag that the application asks for. */
function isUsed(config: Config, routes: readonly RouteConfig[], name: string): boolean {
  return (
    routes.some((route) => route.experiments.includes(name)) ||
    hasPayload(config, name) ||
    Object.values(config.experiments).some(({ requires }) => requires.some((one) => one.experiment === name))
  );
}

function fallbackIssues(
  experiment: ExperimentConfig,
  at: (keys: ConfigPath, message: string, options?: { isKey?: boolean }) => void,
): void {
  const variants = Object.keys(experiment.variants);
  const fallback = fallbackName(experiment);
  if (fallback === null) {
    at([], `no variant is called control, so name the safe one: fallback: ${variants[0] ?? 'NAME'}`, {
      isKey: true,
    });
  } else if (!variants.includes(fallback)) {
    at(['fallback'], `there is no variant ${JSON.stringify(fallback)}${didYouMean(fallback, variants)}`);
  }
}

function saltIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const owners = new Map<string, string>();
  return Object.entries(config.experiments).flatMap(([name, experiment]) => {
    const salt = experiment.salt ?? name;
    const other = owners.get(salt);
    owners.set(salt, other ?? name);
    if (other === undefined) return [];
    const message = `the experiments ${JSON.stringify(other)} and ${JSON.stringify(name)} have the same salt ${JSON.stringify(salt)}, so they would deal out the same users; give each its own`;
    return [
      experiment.salt === undefined
        ? issueAt(['experiments', name], message, { isKey: true })
        : issueAt(['experiments', name, 'salt'], message),
    ];
  });
}

function settingIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const { admin, limits } = config;
  if (admin.token !== undefined && admin.tokenFile !== undefined)
    issues.push(issueAt(['admin', 'tokenFile'], 'token and tokenFile are both given; keep one'));
  issues.push(...accessIssues(config, issueAt), ...exposureIssues(config, issueAt));
  if (limits.target > limits.head)
    issues.push(
      issueAt(
        ['limits', 'target'],
        `a target of ${limits.target} bytes never fits into a head of ${limits.head}`,
      ),
    );
  const names = Object.entries(config.propagation).filter(([key]) => key.endsWith('eader')) as [
    string,
    string,
  ][];
  for (const [index, [key, name]] of names.entries()) {
    if (names.findIndex(([, other]) => other === name) !== index) {
      issues.push(issueAt(['propagation', key], `the header ${name} is used for two purposes`));
    }
  }
  return issues;
}
