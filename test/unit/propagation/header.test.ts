import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDictionary } from '../../../src/base/dictionary.ts';
import {
  CARRIED_BYTES_MAX,
  CARRIED_MEMBERS_MAX,
  readCarried,
  writeExperimentHeader,
} from '../../../src/propagation/header.ts';

const assigned = (name: string, variant: string) => ({ name, variant });

test('the field carries a variant for each experiment', () => {
  const carried = readCarried('checkout=candidate, search="control"', null)!;
  expect(carried.carried('checkout')).toBe('candidate');
  expect(carried.carried('search')).toBe('control');
  expect(carried.carried('other')).toBe(null);
});

test('baggage speaks for the experiments that the field does not name', () => {
  const carried = readCarried('checkout=control', 'fairlead.checkout=candidate,fairlead.search=fast,x=1')!;
  expect(carried.carried('checkout')).toBe('control');
  expect(carried.carried('search')).toBe('fast');
  expect(carried.carried('x')).toBe(null);
});

test('of a member repeated in the baggage the last counts', () => {
  expect(readCarried(null, 'fairlead.a=x,fairlead.a=y')!.carried('a')).toBe('y');
});

test('nothing carried is null', () => {
  expect(readCarried(null, null)).toBe(null);
  expect(readCarried('', null)).toBe(null);
  expect(readCarried(null, 'vendor=1')).toBe(null);
});

test('a malformed field is ignored whole and told, the baggage still counts', () => {
  const alone = readCarried('checkout=candidate,', null)!;
  expect([alone.isMalformed, alone.carried('checkout'), alone.members.length]).toEqual([true, null, 0]);
  const both = readCarried('checkout=candidate,', 'fairlead.checkout=control')!;
  expect([both.isMalformed, both.carried('checkout')]).toEqual([true, 'control']);
  expect(writeExperimentHeader(alone, [])).toBe('');
  expect(readCarried('a=b', null)!.isMalformed).toBe(false);
});

test('a value that is neither token nor string is no variant', () => {
  const carried = readCarried('a=1, b, c=(x y)', null)!;
  for (const name of ['a', 'b', 'c']) expect(carried.carried(name)).toBe(null);
});

test('members about other experiments are passed on as received, in order, before ours', () => {
  const carried = readCarried('zeta=(1 2);x,  alpha=?1;y="z", checkout=old;v=1 , beta', null);
  expect(writeExperimentHeader(carried, [assigned('checkout', 'candidate')])).toBe(
    'zeta=(1 2);x, alpha=?1;y="z", beta, checkout=candidate',
  );
});

test('what came by baggage alone goes on in the field', () => {
  const carried = readCarried(null, 'fairlead.search=fast');
  expect(writeExperimentHeader(carried, [assigned('checkout', 'candidate')])).toBe(
    'search=fast, checkout=candidate',
  );
  expect(writeExperimentHeader(readCarried(null, 'fairlead.search=2%20fast'), [])).toBe('search="2 fast"');
});

test('with nothing carried the field is ours, and with nothing at all it is empty', () => {
  expect(writeExperimentHeader(null, [])).toBe('');
  expect(writeExperimentHeader(null, [assigned('a', 'x'), assigned('b', 'y')])).toBe('a=x, b=y');
  expect(writeExperimentHeader(readCarried('a=x', null), [])).toBe('a=x');
});

test('a name that cannot be a key is left out and does not break the field', () => {
  expect(writeExperimentHeader(null, [assigned('Upper', 'x'), assigned('b', 'y')])).toBe('b=y');
});

test('at most 64 members are kept, and ours push the last ones out', () => {
  const many = Array.from({ length: 70 }, (_, i) => `e${i}=x`).join(', ');
  const carried = readCarried(many, null)!;
  expect([carried.members.length, carried.isTruncated]).toEqual([64, true]);
  expect([carried.carried('e63'), carried.carried('e64')]).toEqual(['x', null]);
  const written = parseDictionary(
    writeExperimentHeader(carried, [assigned('mine', 'y'), assigned('other', 'z')]),
  )!;
  expect(written.length).toBe(CARRIED_MEMBERS_MAX);
  expect(written.slice(-3).map((member) => member.key)).toEqual(['e61', 'mine', 'other']);
  expect(readCarried('a=x', null)!.isTruncated).toBe(false);
});

test('at most 8192 bytes are kept, in whole members', () => {
  const exact = `a="${'x'.repeat(4000)}", b="${'y'.repeat(4182)}"`;
  expect(exact.length).toBe(CARRIED_BYTES_MAX);
  expect(readCarried(exact, null)!.members.length).toBe(2);
  const over = readCarried(`${exact}, c=z`, null)!;
  expect([over.members.length, over.isTruncated]).toEqual([2, true]);
  expect(writeExperimentHeader(over, [assigned('mine', 'y')])).toBe(`a="${'x'.repeat(4000)}", mine=y`);
});

test('carried members make room for ours by bytes too', () => {
  const first = `a="${'x'.repeat(4000)}"`;
  const last = `b="${'y'.repeat(4174)}"`;
  const carried = readCarried(`${first}, ${last}`, null);
  expect(writeExperimentHeader(carried, [])).toBe(`${first}, ${last}`);
  expect(writeExperimentHeader(carried, [assigned('m', 'x')])).toBe(`${first}, ${last}, m=x`);
  expect(writeExperimentHeader(carried, [assigned('mine', 'longer')])).toBe(`${first}, mine=longer`);
});

test('what is written is always a dictionary within the bounds that says what was assigned', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,6}$/);
  const variant = fc.stringMatching(/^[A-Za-z0-9 "_-]{1,10}$/);
  const assignments = fc.uniqueArray(fc.record({ name, variant }), {
    maxLength: 5,
    selector: (one) => one.name,
  });
  const field = fc.oneof(
    fc.array(fc.tuple(name, fc.constantFrom('=x', '', '=1;p', '=(a b)', '="q"')), { maxLength: 80 }),
  );
  fc.assert(
    fc.property(field, fc.option(fc.string({ maxLength: 60 })), assignments, (members, baggage, ours) => {
      const carried = readCarried(members.map((member) => member.join('')).join(','), baggage);
      const text = writeExperimentHeader(carried, ours);
      const written = parseDictionary(text)!;
      expect(written.length).toBeLessThanOrEqual(CARRIED_MEMBERS_MAX);
      expect(text.length).toBeLessThanOrEqual(CARRIED_BYTES_MAX);
      for (const one of ours)
        expect(written.find((member) => member.key === one.name)?.value).toBe(one.variant);
    }),
    { numRuns: 1000 },
  );
});
