/** What a targeting rule looks at: which part of the request, read how. Pure. */
import type { RequestAttributes } from './model.ts';
import type { TargetingRule } from './targeting-rule.ts';

/** Null: it is absent. */
export type Read = (request: RequestAttributes) => string | null;

/**
 * The subject of a rule that has one, and how `explain` names it. A claim counts as absent unless it is verified, or
 * the rule says `verified: false`; one that is a number or a boolean is read as it is written in JSON.
 */
export function compileSubject(rule: TargetingRule): readonly [text: string, read: Read] {
  const { cookie, query, pathParameter, claim } = rule;
  if (rule.header !== undefined) {
    const name = rule.header.toLowerCase();
    return [`header ${name}`, (request) => request.header(name)];
  }
  if (cookie !== undefined) return [`cookie ${cookie}`, (request) => request.cookie(cookie)];
  if (query !== undefined) return [`query ${query}`, (request) => request.query(query)];
  if (pathParameter !== undefined)
    return [`path parameter ${pathParameter}`, (request) => request.pathParameter(pathParameter)];
  if (claim !== undefined) return claimSubject(claim, rule.verified !== false);
  if (rule.clientIdentity !== undefined) return ['client identity', (request) => request.clientIdentity];
  if (rule.clientAddress !== undefined) return ['client address', (request) => request.clientAddress];
  if (rule.method !== undefined) return ['method', (request) => request.method];
  return ['path', (request) => request.path];
}

function claimSubject(pointer: string, mustBeVerified: boolean): readonly [text: string, read: Read] {
  const read: Read = (request) => {
    const claim = request.claim(pointer);
    if (claim === null || (mustBeVerified && !claim.isVerified)) return null;
    return String(claim.value);
  };
  return [`${mustBeVerified ? 'verified' : 'unverified'} claim ${pointer}`, read];
}
