/** What is ours goes, what is theirs stays as it is. */
import { expect, it } from 'vitest';
import { hasOwnBaggage, withoutCookies, withoutOwnBaggage } from '../../../src/propagation/strip.ts';

it.each([
  ['fairlead.a=b', ''],
  ['fairlead.a=b;p=1, fairlead.c', ''],
  ['a=1 , fairlead.a=b,c=2;x="y"', 'a=1 ,c=2;x="y"'],
  ['a=1,\tfairlead.a=b', 'a=1'],
])('baggage %j becomes %j', (before, after) => {
  expect([hasOwnBaggage(before), withoutOwnBaggage(before)]).toEqual([true, after]);
});

it.each(['', 'a=fairlead.b', 'xfairlead.a=b', 'fairlead=1', 'Fairlead.a=b'])(
  'baggage %j is not ours',
  (theirs) => {
    expect([hasOwnBaggage(theirs), withoutOwnBaggage(theirs)]).toEqual([false, theirs]);
  },
);

it.each([
  ['o=1', ''],
  ['a=1; o=x; b=2', 'a=1; b=2'],
  ['o=1; o=2', ''],
  ['a="o=1"; oo=1; xo=2', 'a="o=1"; oo=1; xo=2'],
  [' o = 1;a=1', 'a=1'],
  ['a="1;2" ;sticky=1:k:m:x;  b = =2;o=1', 'a="1;2" ;  b = =2'],
])('cookies %j become %j', (before, after) => {
  expect(withoutCookies(before, ['o', 'sticky'])).toBe(after);
});
