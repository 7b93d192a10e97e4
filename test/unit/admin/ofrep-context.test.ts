/** The context of an evaluation, read as the request that it describes. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readUnit } from '../../../src/experiment/unit.ts';
import { type AdminBench, newAdminBench } from '../../support/admin.ts';
import { requestOf } from '../../support/experiment.ts';
import { CANDIDATE, CONTROL, configure, FLAG, post } from '../../support/ofrep.ts';

let bench: AdminBench;
beforeEach(async () => {
  bench = await newAdminBench(null);
});
afterEach(() => bench.close());

const ask = (context: object) => post(bench, FLAG, { context });

describe('the unit', () => {
  const address = '192.0.2.7';
  it.each([
    ['{ header: X-User-Id }', 'u-3'],
    ['{ cookie: sid }', 'u-3'],
    ['{ query: uid }', 'u-3'],
    ['{ path: id }', 'u-3'],
    ['{ claim: /sub }', 'u-3'],
    ['{ clientIdentity: true }', 'u-3'],
    ['request', 'u-3'],
    ['{ clientAddress: { v4: 24 } }', address],
    ['[{ clientAddress: true }, { header: x-user-id }]', 'u-3'],
  ])('%s is what the targeting key stands for', async (unit, key) => {
    await configure(bench, `unit: ${unit}`);
    const { body } = await ask({ targetingKey: key });
    const expected = key === address ? '192.0.2.0/24' : key;
    const { unit: sources } = bench.control.snapshot.experiments.get('ranking')!;
    // The same unit, read from a header, decides the same.
    await configure(bench, 'unit: { header: x-the-unit }');
    expect((await ask({ 'x-the-unit': expected })).body).toMatchObject({
      variant: body.variant,
      metadata: { 'fairlead.slot': body.metadata?.['fairlead.slot'] },
    });
    expect(body.reason).toBe('SPLIT');
    expect(readUnit(sources, requestOf(), null)).toBe(null);
  });

  it.each([
    ['{ header: x-user-id }', { headers: { 'X-User-Id': CANDIDATE } }],
    ['{ header: x-user-id }', { 'X-User-ID': CANDIDATE }],
    ['{ cookie: sid }', { cookies: { sid: CANDIDATE } }],
    ['{ cookie: sid }', { headers: { Cookie: `a=b; sid=${CANDIDATE}` } }],
    ['{ query: uid }', { query: { uid: CANDIDATE } }],
    ['{ query: uid }', { path: `/search?uid=${CANDIDATE}` }],
    ['{ path: id }', { pathParameters: { id: CANDIDATE } }],
    ['{ claim: /user/id }', { claims: { user: { id: CANDIDATE } } }],
    ['{ clientIdentity: true }', { clientIdentity: CANDIDATE }],
  ])('%s is read from %j before the targeting key counts', async (unit, context) => {
    await configure(bench, `unit: ${unit}`);
    const slotOf = async (asked: object) => (await ask(asked)).body.metadata?.['fairlead.slot'];
    expect(await slotOf({ targetingKey: CONTROL, ...context })).toBe(
      await slotOf({ targetingKey: CANDIDATE }),
    );
    expect(await slotOf(context)).toBe(await slotOf({ targetingKey: CANDIDATE }));
  });

  it('is missing when nothing stands for it, which is an error', async () => {
    for (const unit of ['{ header: x-user-id }', 'request']) {
      await configure(bench, `unit: ${unit}`);
      for (const context of [{}, { targetingKey: '' }, { plan: 'pro' }]) {
        const { status, body } = await ask(context);
        expect([status, body.key, body.errorCode]).toEqual([400, 'ranking', 'TARGETING_KEY_MISSING']);
      }
    }
  });

  it('is not asked for where the answer does not depend on it', async () => {
    await configure(bench, 'status: killed');
    expect((await ask({})).body).toMatchObject({ variant: 'control', reason: 'DISABLED' });
  });

  it('is seen by targeting that looks at the same place', async () => {
    await configure(
      bench,
      'unit: { header: x-user-id }',
      `targeting: [{ header: x-user-id, in: [${CANDIDATE}] }]`,
    );
    expect((await ask({ targetingKey: CANDIDATE })).body.reason).toBe('SPLIT');
    expect((await ask({ targetingKey: CONTROL })).body.reason).toBe('DEFAULT');
  });
});

describe('attributes', () => {
  it.each([
    ['{ header: x-plan, equals: pro }', { 'X-Plan': 'pro' }, { 'x-plan': 'free' }],
    ['{ header: x-age, equals: "42" }', { 'x-age': 42 }, { 'x-age': '43' }],
    ['{ header: x-beta, equals: "true" }', { 'x-beta': true }, { 'x-beta': { nested: true } }],
    [
      '{ header: x-plan, equals: pro }',
      { headers: { 'x-plan': 'pro' }, 'x-plan': 'free' },
      { headers: {}, 'x-plan': 'free' },
    ],
    ['{ cookie: tier, equals: gold }', { cookies: { tier: 'gold' } }, { tier: 'gold' }],
    ['{ query: lang, equals: de }', { path: '/a?lang=de' }, { path: '/a', query: { lang: 'fr' } }],
    ['{ path: true, equals: /a/b }', { path: '/a/b?c=d' }, { path: '/a' }],
    ['{ method: true, equals: POST }', { method: 'POST' }, {}],
    ['{ claim: /groups/0, equals: staff }', { claims: { groups: ['staff'] } }, { claims: { groups: [] } }],
  ])('%s holds for %j and not for %j', async (rule, matching, other) => {
    await configure(bench, 'unit: { header: x-user-id }', `targeting: [${rule}]`);
    expect((await ask({ targetingKey: CANDIDATE, ...matching })).body.reason).toBe('SPLIT');
    expect((await ask({ targetingKey: CANDIDATE, ...other })).body.reason).toBe('DEFAULT');
  });
});

it('whatever is sent is answered, or refused in the words of OpenFeature', async () => {
  await configure(
    bench,
    'unit: [{ header: x-user-id }, { claim: /sub }]',
    'targeting: [{ cookie: a, exists: false }]',
  );
  const name = fc.constantFrom(
    'targetingKey',
    'headers',
    'cookies',
    'claims',
    'path',
    'x-experiment',
    'cookie',
  );
  const context = fc.dictionary(fc.oneof(name, fc.string()), fc.jsonValue());
  const body = fc.oneof(fc.jsonValue(), fc.record({ context: fc.oneof(context, fc.jsonValue()) }));
  await fc.assert(
    fc.asyncProperty(body, async (given) => {
      const { status, body } = await post(bench, FLAG, JSON.stringify(given));
      expect([200, 400]).toContain(status);
      expect(status === 200 ? body.variant : body.errorCode).toEqual(expect.any(String));
    }),
    { numRuns: 300 },
  );
});
