/**
 * The unit of an experiment: the id that is randomised, read from the first of its sources that is present. Which
 * one that was goes on record with the assignment, since ids of two kinds are two units to the analysis.
 */
import type { Random } from '../base/clock.ts';
import { addressPrefix } from './address-prefix.ts';
import type { RequestAttributes, UnitSource } from './model.ts';

/** Entropy of the unit of `unit: request`, bytes. */
const REQUEST_UNIT_BYTES = 8;

/** A unit and where it was read, as `unitText` says it. */
export interface FoundUnit {
  readonly id: string;
  readonly source: string;
}

/**
 * The first source that is present and not empty; null: none is. With no `random`,
 * `unit: request` counts as absent.
 */
export function readUnit(
  sources: readonly UnitSource[],
  request: RequestAttributes,
  random: Random | null,
  trace?: string[],
): FoundUnit | null {
  for (let i = 0; i < sources.length; i++) {
    const source = sources[i]!;
    const id = readSource(source, request, random);
    const isPresent = id !== null && id !== '';
    trace?.push(
      `unit: ${source.kind === 'request' ? 'a new one for the request' : unitText(source)}: ${isPresent ? 'present, used' : 'absent'}`,
    );
    if (isPresent) return { id, source: unitText(source) };
  }
  return null;
}

/** Put together once for a source, and not once for a request. */
const texts = new WeakMap<UnitSource, string>();

/** A unit source as people read it: `header x-user-id`. */
export function unitText(source: UnitSource): string {
  let text = texts.get(source);
  if (text === undefined) {
    text = textOf(source);
    texts.set(source, text);
  }
  return text;
}

function textOf(source: UnitSource): string {
  switch (source.kind) {
    case 'clientIdentity':
      return 'client identity';
    case 'clientAddress':
      return `client address /${source.prefix4} or /${source.prefix6}`;
    case 'path':
      return `path parameter ${source.name}`;
    case 'claim':
      return `claim ${source.pointer}`;
    case 'request':
      return 'request';
    default:
      return `${source.kind} ${source.name}`;
  }
}

function readSource(source: UnitSource, request: RequestAttributes, random: Random | null): string | null {
  switch (source.kind) {
    case 'header':
      return request.header(source.name);
    case 'cookie':
      return request.cookie(source.name);
    case 'query':
      return request.query(source.name);
    case 'path':
      return request.pathParameter(source.name);
    case 'claim':
      return verifiedClaim(request, source.pointer);
    case 'clientIdentity':
      return request.clientIdentity;
    case 'clientAddress':
      return request.clientAddress === null
        ? null
        : addressPrefix(request.clientAddress, source.prefix4, source.prefix6);
    case 'request':
      return random === null ? null : random.hex(REQUEST_UNIT_BYTES);
  }
}

/** What is not verified is whatever its sender likes, so that everybody could choose a variant. */
function verifiedClaim(request: RequestAttributes, pointer: string): string | null {
  const claim = request.claim(pointer);
  return claim?.isVerified === true ? String(claim.value) : null;
}
