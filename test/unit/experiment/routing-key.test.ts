import { describe, expect, test } from 'vitest';
import {
  compileRoutingKey,
  keyedVariant,
  ROUTING_KEY_MAX,
  type RoutingKey,
  type RoutingKeyKind,
  routingKeyFields,
} from '../../../src/experiment/routing-key.ts';
import { experimentOf, requestOf } from '../../support/experiment.ts';

const [control, candidate] = experimentOf({ control: 900_000, candidate: 100_000 }).variants;
const VARIANTS = new Map([
  ['alice', candidate!],
  ['bob', control!],
]);

function rule(kind: RoutingKeyKind, name: string | null = null): RoutingKey {
  return compileRoutingKey(kind, name, VARIANTS);
}

function asked(keys: RoutingKey | readonly RoutingKey[], headers: Record<string, string>): string | null {
  const found = keyedVariant(Array.isArray(keys) ? keys : [keys as RoutingKey], requestOf({ headers }));
  return found === null ? null : `${found.kind} ${found.variant.name}`;
}

describe('where the tools write their key', () => {
  test('Okteto: the baggage member okteto-divert', () => {
    expect(asked(rule('okteto'), { baggage: 'okteto-divert=alice' })).toBe('okteto candidate');
    expect(asked(rule('okteto'), { baggage: 'a=1, okteto-divert = bob ;p=1' })).toBe('okteto control');
    expect(asked(rule('okteto'), { 'okteto-divert': 'alice' })).toBe(null);
  });

  test.each([
    ['baggage', 'sd-routing-key=alice,sd-sandbox=alice'],
    ['baggage', 'sd-workspace=alice'],
    ['tracestate', 'vendor=1,sd-routing-key=alice'],
    ['uberctx-sd-routing-key', 'alice'],
    ['ot-baggage-sd-routing-key', 'alice'],
    ['uberctx-sd-sandbox', 'alice'],
  ])('Signadot: %s: %s', (field, value) => {
    expect(asked(rule('signadot'), { [field]: value })).toBe('signadot candidate');
  });

  test('Telepresence: its own field, or the one that was agreed on', () => {
    expect(asked(rule('telepresence'), { 'x-telepresence-intercept-id': 'alice' })).toBe(
      'telepresence candidate',
    );
    expect(asked(rule('telepresence', 'X-Tp-User'), { 'x-tp-user': 'alice' })).toBe('telepresence candidate');
    expect(asked(rule('telepresence', 'X-Tp-User'), { 'x-telepresence-intercept-id': 'alice' })).toBe(null);
  });

  test('any field, and any baggage member', () => {
    expect(asked(rule('header', 'X-Dev'), { 'x-dev': ' alice ' })).toBe('header candidate');
    expect(asked(rule('baggage', 'dev'), { baggage: 'developer=bob,dev=alice' })).toBe('baggage candidate');
  });
});

test('the first key that a rule knows counts; one that none knows is passed over', () => {
  const rules = [rule('okteto'), rule('header', 'x-dev')];
  expect(asked(rules, { baggage: 'okteto-divert=carol', 'x-dev': 'bob' })).toBe('header control');
  expect(asked(rules, { baggage: 'okteto-divert=alice', 'x-dev': 'bob' })).toBe('okteto candidate');
  expect(asked(rules, { baggage: 'okteto-divert=carol' })).toBe(null);
  expect(asked(rules, {})).toBe(null);
});

test('a key is compared whole, decoded where it is percent-encoded, and not when it is too long', () => {
  expect(asked(rule('baggage', 'dev'), { baggage: 'dev=al%69ce' })).toBe('baggage candidate');
  expect(asked(rule('baggage', 'dev'), { baggage: 'dev=alice%' })).toBe(null);
  expect(asked(rule('baggage', 'dev'), { baggage: 'dev=Alice' })).toBe(null);
  const long = 'a'.repeat(ROUTING_KEY_MAX + 1);
  const known = compileRoutingKey('header', 'x-dev', new Map([[long, candidate!]]));
  expect(asked(known, { 'x-dev': long })).toBe(null);
});

test('names that the prototype of an object has are no keys', () => {
  expect(asked(rule('header', 'x-dev'), { 'x-dev': 'constructor' })).toBe(null);
});

test('the fields that answers differ by are named once each', () => {
  expect(routingKeyFields([rule('okteto'), rule('baggage', 'dev'), rule('telepresence')])).toEqual([
    'baggage',
    'x-telepresence-intercept-id',
  ]);
});
