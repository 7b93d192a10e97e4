import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UnitHash } from '../../../src/telemetry/unit-hash.ts';

test('is HMAC-SHA-256 of RFC 4231, test case 2', () => {
  expect(new UnitHash('Jefe').of('what do ya want for nothing?')).toBe(
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
});

test('is what createHmac says, for every key and every id', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 400 }),
    fc.constantFrom('', 'x'.repeat(340), '\u20ac'.repeat(340), 'y'.repeat(5000)),
  );
  const key = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.constantFrom('', 'k'.repeat(64), 'k'.repeat(65)),
  );
  fc.assert(
    fc.property(key, fc.array(text, { minLength: 1, maxLength: 5 }), (secret, units) => {
      const hash = new UnitHash(secret);
      for (const unit of units)
        expect(hash.of(unit)).toBe(createHmac('sha256', secret).update(unit).digest('hex'));
    }),
    { numRuns: 300 },
  );
});
