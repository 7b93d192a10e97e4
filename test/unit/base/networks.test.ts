/** Which addresses are in a network: IPv4 and IPv6 apart, whatever an IPv4 address is written as. */
import { describe, expect, it } from 'vitest';
import { Networks } from '../../../src/base/networks.ts';

function of(...texts: string[]): Networks {
  const networks = new Networks();
  for (const text of texts) {
    const [address = '', bits] = text.split('/');
    networks.add(address, Number(bits));
  }
  return networks;
}

describe('a network', () => {
  it.each([
    ['::/0', '2001:db8::1', true],
    ['::/0', '::1', true],
    ['::/0', '10.0.0.1', false],
    ['::/0', '::ffff:10.0.0.1', false],
    ['::/0', '0:0:0:0:0:FFFF:0a00:0001', false],
    ['0.0.0.0/0', '10.0.0.1', true],
    ['0.0.0.0/0', '::ffff:a00:1', true],
    ['0.0.0.0/0', '::1', false],
    ['0.0.0.0/0', '::10.0.0.1', false],
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '::ffff:10.255.0.1', true],
    ['10.0.0.0/8', '::ffff:b00:1', false],
    ['10.0.0.0/8', '0a00::1', false],
    ['::ffff:10.0.0.0/104', '10.1.2.3', true],
    ['::ffff:10.0.0.0/104', '::ffff:10.1.2.3', true],
    ['::ffff:10.0.0.0/104', '11.1.2.3', false],
    ['::FFFF:0:0/96', '192.0.2.1', true],
    ['::FFFF:0:0/96', '2001:db8::1', false],
    ['::ffff:0.0.0.0/95', '192.0.2.1', false],
    ['::/95', '::1', true],
    ['2001:db8::/32', '2001:db8:1::', true],
    ['2001:db8::/32', '2001:db9::', false],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['0.0.0.0/0', '10.0.0.1/8', false],
    ['::/0', 'unknown', false],
    ['::/0', '', false],
  ])('%s and %j: %s', (network, address, expected) => {
    expect(of(network).has(address)).toBe(expected);
  });

  it('is one of several', () => {
    const networks = of('10.0.0.0/8', '2001:db8::/32');
    const addresses = ['10.0.0.1', '2001:db8::1', '11.0.0.1', '2001:db9::1'];
    expect(addresses.map((address) => networks.has(address))).toEqual([true, true, false, false]);
  });
});
