/** Names in certificates, from the text that Node makes of them. */
import { describe, expect, test } from 'vitest';
import { hasAltName } from '../../../src/proxy/tls-identity.ts';

describe('a name that is wanted', () => {
  const names =
    'DNS:Api.shop.test, DNS:*.wild.test, IP Address:10.0.0.1, URI:spiffe://shop/Api, email:a@shop.test';

  test.each(['api.shop.test', 'API.SHOP.TEST', '*.wild.test', '10.0.0.1', 'spiffe://shop/Api'])(
    '%s is there',
    (name) => {
      expect(hasAltName(names, [name])).toBe(true);
      expect(hasAltName(names, ['other', name])).toBe(true);
    },
  );

  test.each([
    'shop.test',
    'a.wild.test',
    'spiffe://shop/api',
    'spiffe://shop',
    '10.0.0.10',
    'a@shop.test',
    '',
  ])('%s is not', (name) => {
    expect(hasAltName(names, [name])).toBe(false);
  });

  test('cannot hide in another one', () => {
    expect(hasAltName('URI:"spiffe://a/, DNS:api.shop.test"', ['api.shop.test'])).toBe(false);
    expect(hasAltName('URI:"spiffe://a/, URI:spiffe://b/"', ['spiffe://b/'])).toBe(false);
    expect(hasAltName('URI:"spiffe://a/\\", URI:spiffe://b/"', ['spiffe://b/'])).toBe(false);
    expect(hasAltName('URI:"spiffe://a/, URI:spiffe://b/"', ['spiffe://a/, URI:spiffe://b/'])).toBe(true);
  });

  test('is nowhere in a text that cannot be read to its end', () => {
    expect(hasAltName('DNS:api.shop.test, "', ['api.shop.test'])).toBe(false);
    expect(hasAltName('', ['api.shop.test'])).toBe(false);
  });
});
