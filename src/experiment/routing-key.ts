/**
 * Routing keys of tools for development environments: a request that is meant for somebody's copy of a service says
 * so in a field of the tool's own, and here that is an override. Read only; the field is passed on as it came.
 *
 * Where the tools write their key (their documentation, 2025):
 * Okteto Divert: baggage member `okteto-divert`. Signadot: baggage and tracestate members `sd-routing-key` and
 * `sd-sandbox` (older: `sd-workspace`), and the same names as fields behind `uberctx-` and `ot-baggage-`.
 * Telepresence: field `x-telepresence-intercept-id`, or whatever `--http-header` named.
 */
import type { RequestAttributes, Variant } from './model.ts';

export const ROUTING_KEY_KINDS = ['okteto', 'signadot', 'telepresence', 'header', 'baggage'] as const;
export type RoutingKeyKind = (typeof ROUTING_KEY_KINDS)[number];

/** One place where a key may be. Names are lower case for fields, and as they are for members. */
interface Place {
  /** The field. */
  readonly field: string;
  /** The member of the field's list, `member=key`; null: the field's value is the key. */
  readonly member: string | null;
}

/** One rule of an experiment, compiled. */
export interface RoutingKey {
  readonly kind: RoutingKeyKind;
  readonly places: readonly Place[];
  readonly variants: ReadonlyMap<string, Variant>;
}

/** What a request asks for. */
export interface KeyedVariant {
  readonly kind: RoutingKeyKind;
  readonly variant: Variant;
}

/** Longest key that is looked up; those of the tools are names of Kubernetes (63) or shorter. */
export const ROUTING_KEY_MAX = 256;

const SIGNADOT_NAMES = ['sd-routing-key', 'sd-sandbox', 'sd-workspace'];

/** @param name Of the field or the member, for the kinds that have one. */
export function compileRoutingKey(
  kind: RoutingKeyKind,
  name: string | null,
  variants: ReadonlyMap<string, Variant>,
): RoutingKey {
  return Object.freeze({ kind, places: Object.freeze(placesOf(kind, name)), variants });
}

/** The fields that the rules read: answers differ by them. */
export function routingKeyFields(keys: readonly RoutingKey[]): string[] {
  return [...new Set(keys.flatMap(({ places }) => places.map(({ field }) => field)))];
}

/**
 * The variant for the first key that is both in the request and in a rule, in the order of the rules; null: there is
 * none. A key that no rule knows is somebody else's business. Throws nothing.
 */
export function keyedVariant(keys: readonly RoutingKey[], request: RequestAttributes): KeyedVariant | null {
  for (let i = 0; i < keys.length; i++) {
    const { kind, places, variants } = keys[i]!;
    for (let p = 0; p < places.length; p++) {
      const key = keyAt(places[p]!, request);
      const variant = key === null ? undefined : variants.get(key);
      if (variant !== undefined) return { kind, variant };
    }
  }
  return null;
}

function placesOf(kind: RoutingKeyKind, name: string | null): Place[] {
  switch (kind) {
    case 'okteto':
      return [{ field: 'baggage', member: name ?? 'okteto-divert' }];
    case 'signadot': {
      const names = name === null ? SIGNADOT_NAMES : [name];
      return names.flatMap((member) => [
        { field: 'baggage', member },
        { field: 'tracestate', member },
        { field: `uberctx-${member}`, member: null },
        { field: `ot-baggage-${member}`, member: null },
      ]);
    }
    case 'telepresence':
      return [{ field: (name ?? 'x-telepresence-intercept-id').toLowerCase(), member: null }];
    case 'header':
      return [{ field: (name ?? '').toLowerCase(), member: null }];
    default:
      return [{ field: 'baggage', member: name ?? '' }];
  }
}

function keyAt({ field, member }: Place, request: RequestAttributes): string | null {
  const text = request.header(field);
  if (text === null || text === '') return null;
  const key = member === null ? text.trim() : memberOf(text, member);
  return key === null || key.length > ROUTING_KEY_MAX ? null : key;
}

/** The value of the first `name=value` in a list, without its properties; percent-decoded where that is possible. */
function memberOf(list: string, name: string): string | null {
  if (!list.includes(name)) return null;
  for (const member of list.split(',')) {
    const equals = member.indexOf('=');
    if (equals < 0 || member.slice(0, equals).trim() !== name) continue;
    return decoded(
      member
        .slice(equals + 1)
        .split(';', 1)[0]!
        .trim(),
    );
  }
  return null;
}

function decoded(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
