/** Whom a rule believes, and which hosts are in a set. */
import { describe, expect, it } from 'vitest';
import { Networks } from '../../../src/base/networks.ts';
import { HostSet } from '../../../src/routing/host-set.ts';
import { isTrusted, TRUST_EVERYONE, type TrustRule } from '../../../src/routing/trust.ts';

const addresses = new Networks();
addresses.add('10.0.0.0', 8);
addresses.add('2001:db8::', 32);
const rule: TrustRule = {
  isEveryone: false,
  addresses,
  identities: ['spiffe://shop/web'],
  isTokenEnough: true,
};

describe('a rule', () => {
  it.each([
    ['10.1.2.3', null, true],
    ['11.1.2.3', null, false],
    ['2001:db8::1', null, true],
    ['2001:db9::1', null, false],
    ['unknown', null, false],
    ['', null, false],
    ['11.1.2.3', 'spiffe://shop/web', true],
    ['11.1.2.3', 'spiffe://shop/web/more', false],
    ['unknown', 'spiffe://shop/web', true],
  ])('believes %s with the identity %s: %s', (address, identity, expected) => {
    expect(isTrusted(rule, { address, identity })).toBe(expected);
  });

  it('for everyone asks nothing', () => {
    expect(isTrusted(TRUST_EVERYONE, { address: 'unknown', identity: null })).toBe(true);
  });

  it('without ranges believes no address', () => {
    expect(isTrusted({ ...rule, addresses: null }, { address: '10.1.2.3', identity: null })).toBe(false);
  });
});

describe('a set of hosts', () => {
  const hosts = new HostSet(['prices', '*.svc.cluster.local', '[::1]']);
  it.each([
    'prices',
    'PRICES',
    'prices:80',
    'prices.',
    'a.svc.cluster.local',
    'a.b.svc.cluster.local:8080',
    '[::1]:80',
  ])('has %s', (host) => expect(hosts.has(host)).toBe(true));
  it.each(['', 'svc.cluster.local', 'xsvc.cluster.local', 'prices.com', 'my-prices', '::1', 'local', '.'])(
    'does not have %j',
    (host) => expect(hosts.has(host)).toBe(false),
  );
});
