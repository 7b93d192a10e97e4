/** Units, tokens and sticky assignments that contradict each other or the routes. Pure. */

import type { ConfigIssue } from './issue.ts';
import type { IssueAt } from './parse.ts';
import type { Config, RouteConfig } from './schema.ts';
import type { StickyConfig } from './schema-sticky.ts';

/** Every mistake and warning in what identifies a unit. */
export function identityIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  return [
    ...duplicateIds(config, issueAt),
    ...claimIssues(config, issueAt),
    ...stickyIssues(config, issueAt),
    ...(config.routes ?? []).flatMap((route, index) => pathUnitIssues(config, route, index, issueAt)),
  ];
}

function duplicateIds(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const lists = [
    { path: ['identity', 'jwt', 'keys'], keys: config.identity.jwt?.keys ?? [] },
    { path: ['stickyKeys'], keys: config.stickyKeys },
  ];
  return lists.flatMap(({ path, keys }) => {
    const ids = keys.map(({ id }) => id);
    return ids.flatMap((id, index) =>
      ids.indexOf(id) === index
        ? []
        : [issueAt([...path, index, 'id'], `two keys have the id ${JSON.stringify(id)}`)],
    );
  });
}

/** A claim that nothing verifies. */
function claimIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  if (config.identity.jwt !== undefined) return [];
  return Object.entries(config.experiments).flatMap(([name, { unit }]) =>
    (unit ?? []).flatMap(({ claim }) =>
      claim === undefined
        ? []
        : [
            issueAt(
              ['experiments', name, 'unit'],
              'identity.jwt is not configured, so no token is verified and there is never a claim',
              { severity: 'warning' },
            ),
          ],
    ),
  );
}

/** Whoever is known by a path parameter on one route is somebody else on a route without it. */
function pathUnitIssues(config: Config, route: RouteConfig, index: number, issueAt: IssueAt): ConfigIssue[] {
  const { path } = route.match;
  const names =
    path.kind === 'pattern'
      ? path.segments.flatMap((segment) => (segment.kind === 'parameter' ? [segment.name] : []))
      : [];
  return route.experiments.flatMap((experiment, at) => {
    const unit = Object.hasOwn(config.experiments, experiment) ? config.experiments[experiment]?.unit : [];
    return (unit ?? []).flatMap(({ path: name }) => {
      if (name === undefined || names.includes(name)) return [];
      const then =
        unit?.length === 1
          ? 'there is never a unit here'
          : 'the next source is used here, which is another unit';
      const message = `the unit of ${JSON.stringify(experiment)} is the path parameter {${name}}, which the path of this route does not have, so ${then}`;
      return [issueAt(['routes', index, 'experiments', at], message, { severity: 'warning' })];
    });
  });
}

/** Nothing to sign with, and one cookie with two sets of attributes. */
function stickyIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const owners = new Map<string, { name: string; attributes: string }>();
  return Object.entries(config.experiments).flatMap(([name, { sticky }]) => {
    if (sticky === undefined) return [];
    const at = (message: string) => [issueAt(['experiments', name, 'sticky'], message, { isKey: true })];
    if (config.stickyKeys.length === 0)
      return at('there are no stickyKeys to sign it with; name at least one key');
    const { place } = sticky;
    const { propagation } = config;
    if (place.kind === 'cookie' && place.name === propagation.overrideCookie)
      return at(`the cookie ${place.name} is that of overrides`);
    const attributes = attributesOf(sticky);
    const owner = owners.get(place.name);
    if (owner === undefined) owners.set(place.name, { name, attributes });
    if (owner === undefined || owner.attributes === attributes) return [];
    const message = `${JSON.stringify(owner.name)} keeps its assignments in the ${place.kind} ${place.name} as well, but with another kind, sameSite, secure, path or domain; make them the same, or choose another name`;
    return at(message);
  });
}

function attributesOf({ place, sameSite, secure, path, domain }: StickyConfig): string {
  return place.kind === 'header' ? 'header' : `${sameSite} ${secure} ${path} ${domain ?? ''}`;
}
