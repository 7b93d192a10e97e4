/** By what a host is counted that no route names. */
import { expect, it } from 'vitest';
import { ContextMetrics, HOSTS_MAX, OTHER_HOSTS } from '../../../src/telemetry/context-metrics.ts';
import { LabelBudget } from '../../../src/telemetry/label-sets.ts';

it.each(['stock.internal', 'stock', 'a_b-c.1', '10.0.0.1', '[2001:db8::1]', 'a'.repeat(63), ''])(
  'the host %j is counted by its name',
  (name) => {
    expect(new ContextMetrics(new LabelBudget(10)).hostLabel(name)).toBe(name);
  },
);

it.each(['a..b', '.a', 'a b', 'a"b', 'é', '[x]', 'a/b', 'a'.repeat(64), `${'a.'.repeat(126)}ab`])(
  'the host %j, which cannot be one, is counted among others',
  (name) => {
    expect(new ContextMetrics(new LabelBudget(10)).hostLabel(name)).toBe(OTHER_HOSTS);
  },
);

it('what cannot be a host takes no place of one, and past the limit those that are known keep their names', () => {
  const metrics = new ContextMetrics(new LabelBudget(10));
  for (let n = 0; n < 1000; n++) metrics.hostLabel(`no host ${n}`);
  const names = Array.from({ length: HOSTS_MAX }, (_, n) => `host-${n}`);
  expect(names.map((name) => metrics.hostLabel(name))).toEqual(names);
  expect(metrics.hostLabel('one-more')).toBe(OTHER_HOSTS);
  expect(names.map((name) => metrics.hostLabel(name))).toEqual(names);
});
