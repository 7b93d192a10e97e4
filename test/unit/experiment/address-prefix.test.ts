import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressPrefix } from '../../../src/experiment/address-prefix.ts';

describe('the prefix of an address', () => {
  test.each([
    ['192.0.2.77', 24, 128, '192.0.2.0/24'],
    ['192.0.2.77', 32, 128, '192.0.2.77/32'],
    ['192.0.2.77', 20, 128, '192.0.0.0/20'],
    ['255.255.255.255', 1, 128, '128.0.0.0/1'],
    ['2001:db8:1:2ff:ff:ff:ff:ff', 32, 56, '2001:db8:1:200::/56'],
    ['2001:DB8::1', 32, 128, '2001:db8::1/128'],
    ['2001:0db8:0000:0000:0000:0000:0000:0001', 32, 128, '2001:db8::1/128'],
    ['fe80::1%eth0', 32, 64, 'fe80::/64'],
    ['::1', 32, 128, '::1/128'],
    ['::1', 32, 64, '::/64'],
    // One client, whichever socket it came in by.
    ['::ffff:192.0.2.77', 24, 56, '192.0.2.0/24'],
    ['::ffff:c000:24d', 24, 56, '192.0.2.0/24'],
    // RFC 5952 section 4.2.
    ['2001:db8:0:1:1:1:1:1', 32, 128, '2001:db8:0:1:1:1:1:1/128'],
    ['2001:0:0:1:0:0:0:1', 32, 128, '2001:0:0:1::1/128'],
    ['2001:db8:0:0:1:0:0:1', 32, 128, '2001:db8::1:0:0:1/128'],
  ])('of %s /%i /%i is %s', (address, bits4, bits6, prefix) => {
    expect(addressPrefix(address, bits4, bits6)).toBe(prefix);
  });

  test.each([
    '',
    'unknown',
    '192.0.2',
    '192.0.2.256',
    '1.2.3.4.5',
    ':',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8:9',
    'g::',
    '12345::',
  ])('%s is no address', (text) => {
    expect(addressPrefix(text, 24, 56)).toBeNull();
  });

  test('is the network that Node takes the address to be in, in the one spelling of RFC 5952', () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.integer({ min: 1, max: 128 }), (address, bits) => {
        const prefix = addressPrefix(address, 32, bits)!;
        const [network = '', length = ''] = prefix.split('/');
        const family = isIP(network) === 4 ? 'ipv4' : 'ipv6';
        const list = new BlockList();
        list.addSubnet(network, Number(length), family);
        if (family === 'ipv6') {
          expect(list.check(address, 'ipv6')).toBe(true);
          expect(new URL(`http://[${network}]`).hostname).toBe(`[${network}]`);
        } else expect(list.check(address, 'ipv6')).toBe(true);
        // Taken again, it is what it was: no bit behind the prefix is left.
        expect(addressPrefix(network, Number(length), Number(length))).toBe(prefix);
      }),
    );
  });
});
