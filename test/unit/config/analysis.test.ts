/** What is to be collected and judged, as it is written. */
import { describe, expect, it } from 'vitest';
import { issuesOf, snapshotOf, withExperiment } from '../../support/config.ts';

const settingsOf = (...lines: string[]) => snapshotOf(withExperiment(...lines)).analyses.get('ranking')!;
const metricsOf = (...metrics: string[]) =>
  settingsOf(`analysis: { metrics: [${metrics.join(', ')}] }`).plan.metrics;
const saidOf = (metric: string, more = '') =>
  issuesOf(withExperiment(`analysis: { ${more} metrics: [${metric}] }`)).map((line) =>
    line.replace(/^.*?analysis/, 'analysis'),
  );

describe('an analysis', () => {
  it('is not made unless it is asked for', () => {
    expect(snapshotOf(withExperiment()).analyses.size).toBe(0);
  });

  it('looks at errors and at latency when nothing is said', () => {
    const { plan, measures } = settingsOf('analysis: {}');
    expect(plan.alpha).toBe(0.05);
    expect(plan.metrics).toEqual([
      {
        ...{ name: 'errors', kind: 'errors', quantile: 0, over: 'units', by: 'assigned', role: 'guardrail' },
        ...{ unit: 'share', better: 'lower', margin: 0.01, weight: 1, tunedFor: 5000 },
      },
      {
        ...{ name: 'latency', kind: 'latency', quantile: 0, over: 'units', by: 'assigned', role: 'goal' },
        ...{ unit: 'ms', better: 'lower', margin: 10, weight: 1, tunedFor: 5000 },
      },
    ]);
    expect(measures).toEqual([]);
  });

  it('has quantiles, bytes and metrics of its own, with margins in their units', () => {
    expect(
      metricsOf(
        'p99.9',
        '{ name: p50, role: guardrail, margin: 20ms, by: served, weight: 2, tunedFor: 100000 }',
        '{ name: bytes, margin: 4KiB }',
        '{ name: latency, by: served }',
        '{ name: cost, header: X-Cost, better: lower, margin: 0.5 }',
        '{ name: conversion, event: true, unit: share, better: higher, margin: 0.2% }',
      ).map(({ name, kind, quantile, over, by, unit, margin }) => [
        name,
        kind,
        quantile,
        over,
        by,
        unit,
        margin,
      ]),
    ).toEqual([
      ['p99.9', 'quantile', expect.closeTo(0.999, 12), 'requests', 'assigned', 'ms', 50],
      ['p50', 'quantile', 0.5, 'requests', 'served', 'ms', 20],
      ['bytes', 'bytes', 0, 'units', 'assigned', 'bytes', 4096],
      ['latency', 'latency', 0, 'requests', 'served', 'ms', 10],
      ['cost', 'custom', 0, 'units', 'assigned', 'number', 0.5],
      ['conversion', 'custom', 0, 'units', 'assigned', 'share', 0.002],
    ]);
  });

  it('takes values from a header, a trailer or events, divided by what makes sense of them', () => {
    const { measures } = settingsOf(
      'analysis: { metrics: [errors, { name: cost, header: X-Cost, better: lower }, { name: tokens, trailer: x-tokens, better: lower, per: request }, { name: sold, event: true, better: higher }, { name: won, event: true, unit: share, better: higher }] }',
    );
    expect(measures).toEqual([
      { name: 'cost', source: 'header', field: 'x-cost', per: 'value', isOnce: false },
      { name: 'tokens', source: 'trailer', field: 'x-tokens', per: 'request', isOnce: false },
      { name: 'sold', source: 'event', field: '', per: 'unit', isOnce: false },
      { name: 'won', source: 'event', field: '', per: 'unit', isOnce: true },
    ]);
  });

  it('compares requests where each is a unit of its own', () => {
    const { plan } = settingsOf('unit: request', 'analysis: {}');
    expect(plan.metrics.map(({ over }) => over)).toEqual(['requests', 'requests']);
  });

  it('is another one when a margin, a variant or the unit is, and the same when the split is', () => {
    const digestOf = (...lines: string[]) => settingsOf(...lines).digest;
    const same = digestOf('analysis: {}');
    expect(digestOf('analysis: {}', 'traffic: 50%')).toBe(same);
    const others = [
      digestOf('analysis: { alpha: 1% }'),
      digestOf('analysis: { metrics: [{ name: errors, margin: 2% }, latency] }'),
      digestOf('analysis: { metrics: [errors, { name: latency, tunedFor: 1000 }] }'),
      digestOf('analysis: {}', 'unit: { cookie: sid }'),
      digestOf('analysis: {}', 'variants: { control: {}, other: { weight: 1% } }'),
    ];
    expect(new Set([same, ...others]).size).toBe(6);
  });
});

describe('a mistake in an analysis', () => {
  it('is told with its place', () => {
    expect(saidOf('latencies')).toEqual([expect.stringContaining('analysis.metrics[0]')]);
    expect(saidOf('{ name: latnecy, better: lower }')).toEqual([
      'analysis.metrics[0]: "latnecy" needs a header, a trailer or event: true, since it is not built in; did you mean "latency"?',
    ]);
    expect(saidOf('{ name: cost, header: x-cost, event: true, better: lower }')).toEqual([
      'analysis.metrics[0].event: its values come from header and from event; keep one',
    ]);
    expect(saidOf('{ name: cost, header: x-cost }')).toEqual([
      'analysis.metrics[0]: say which is better: lower or higher',
    ]);
    expect(saidOf('{ name: errors, header: x-error }')).toEqual([
      'analysis.metrics[0].header: errors has no header; give your own metric another name',
    ]);
    expect(saidOf('{ name: p99, over: units }')).toEqual([
      'analysis.metrics[0].over: a quantile is one of requests',
    ]);
    expect(saidOf('{ name: errors, by: served, over: units }')).toEqual([
      'analysis.metrics[0].over: units are compared by what they were assigned; by: served is over requests',
    ]);
    expect(saidOf('{ name: sold, event: true, better: higher, over: requests }')).toEqual([
      'analysis.metrics[0].over: events belong to units and not to requests',
    ]);
    expect(saidOf('{ name: cost, header: x-cost, better: lower, per: unit, over: requests }')).toEqual([
      'analysis.metrics[0].over: per: unit is compared over units; over requests it is value by value',
    ]);
    expect(saidOf('{ name: cost, header: x-cost, better: lower, role: guardrail }')).toEqual([
      'analysis.metrics[0]: a guardrail on a number needs a margin: without one it never passes',
    ]);
    expect(saidOf('{ name: latency, margin: 20 }')).toEqual([
      'analysis.metrics[0].margin: "20" has no unit; write 20s or 20ms',
    ]);
    expect(saidOf('{ name: cost, header: x-cost, better: lower, margin: 5ms }')).toEqual([
      'analysis.metrics[0].margin: found "5ms"; the margin of a number is a number',
    ]);
    expect(saidOf('errors, { name: errors, margin: 2% }')).toEqual([
      'analysis.metrics[1].name: two metrics are called "errors"',
    ]);
    const many = Array.from({ length: 100 }, (_, i) => `v${i}: { weight: 1% }`).join(', ');
    expect(issuesOf(withExperiment('analysis: {}', `variants: { control: {}, ${many} }`))).toEqual([
      expect.stringContaining('analysis: at most 100 variants can be compared; found 101'),
    ]);
    expect(saidOf('errors', 'alpha: 60%,')).toEqual([
      'analysis.alpha: at most 50%: an interval that is wrong more often says nothing',
    ]);
    const nine = Array.from({ length: 9 }, (_, i) => `{ name: m${i}, header: x-${i}, better: lower }`);
    expect(saidOf(nine.join(', '))).toEqual(['analysis.metrics: at most 8 metrics of your own; found 9']);
  });
});
