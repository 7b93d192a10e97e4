/**
 * What each role may do with the admin API; `docs/roles.md` has the same table. Pure. A change that is not listed here
 * needs the highest role, so that nothing new is open by oversight.
 */
import type { Role } from '../config/schema-audit.ts';
import { EVENTS_URL } from './collected-events.ts';
import { OFREP_ROOT } from './ofrep.ts';

/** By the URL of the resource, as it is registered; of changes only. */
const CHANGES: readonly (readonly [method: string | null, url: string, role: Role])[] = [
  [null, EVENTS_URL, 'reporter'],
  [null, '/v1/explain', 'viewer'],
  [null, '/v1/config::validate', 'viewer'],
  [null, '/v1/experiments/*', 'operator'],
  [null, '/v1/experiments/:name/diffs', 'operator'],
  [null, '/v1/experiments/:name/results', 'operator'],
  [null, '/v1/breakers/*', 'operator'],
  [null, '/v1/upstreams/*', 'operator'],
  [null, '/v1/approvals/*', 'operator'],
  // Whoever is on call may end a fault; making one hurts users on purpose.
  ['DELETE', '/v1/faults/:id', 'operator'],
  ['POST', '/v1/faults', 'admin'],
  [null, '/v1/reload', 'admin'],
];

/** Probes and metrics are on the probe listener as well; the files of the page hold no data. */
const OPEN = ['/livez', '/ping', '/readyz', '/ready', '/startupz', '/metrics', '/stats/prometheus', '/'];
const OPEN_FOLDER = '/assets/';

/**
 * The least role for a request; null: none is needed.
 *
 * @param url Of the resource, as it is registered; '' for one that does not exist.
 * @param readRole What reading needs; null: nothing.
 */
export function neededRole(method: string, url: string, readRole: Role | null): Role | null {
  // A flag is asked for with a POST, and changes nothing.
  if (url.startsWith(OFREP_ROOT)) return null;
  if (method === 'GET' || method === 'HEAD') return isOpen(url) ? null : readRole;
  const rule = CHANGES.find(([only, resource]) => resource === url && (only === null || only === method));
  return rule?.[2] ?? 'admin';
}

function isOpen(url: string): boolean {
  return OPEN.includes(url) || url.startsWith(OPEN_FOLDER);
}

/** What is done with each. Whoever only looks adds nothing to the numbers, and a reporter looks at nothing. */
const ENOUGH_FOR: Readonly<Record<Role, readonly Role[]>> = {
  reporter: ['reporter'],
  viewer: ['viewer'],
  operator: ['reporter', 'viewer', 'operator'],
  admin: ['reporter', 'viewer', 'operator', 'admin'],
};

export function isEnough(role: Role, needed: Role): boolean {
  return ENOUGH_FOR[role].includes(needed);
}
