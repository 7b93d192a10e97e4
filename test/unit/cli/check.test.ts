import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listen } from '../../../src/admin/server.ts';
import { type CheckOptions, checkCommand } from '../../../src/cli/check.ts';
import { adviceOn, coverageSince, isLeaking, readCoverage } from '../../../src/cli/check-report.ts';
import { CliError, type Io } from '../../../src/cli/io.ts';
import { Metrics } from '../../../src/telemetry/metrics.ts';
import { type AdminBench, newAdminBench } from '../../support/admin.ts';

class TestIo implements Io {
  outText = '';
  errText = '';
  readonly env = {};
  readonly isTerminal = false;

  out(text: string): void {
    this.outText += text;
  }

  err(text: string): void {
    this.errText += text;
  }
}

function newMetrics(): Metrics {
  const metrics = new Metrics({ version: '0.1.0', node: 'v24', isProcessIncluded: false });
  metrics.contexts.setMemorySource(() => ({ events: {}, ids: 0, bytes: 0 }));
  return metrics;
}

/** Two hosts that get what they should, and one that does not. */
function count(metrics: Metrics): void {
  metrics.contexts.calls('to-stock', 'stock.internal', 'header').value += 40;
  metrics.contexts.calls('to-stock', 'stock.internal', 'traceparent').value += 60;
  metrics.contexts.calls('to-mail', '*.mail.internal', 'request_id').value += 5;
  metrics.contexts.calls('to-price', '', 'lost').value += 30;
  metrics.contexts.calls('to-price', '', 'baggage').value += 210;
}

describe('the coverage of a page', () => {
  test('is per route and host, with every way to come by an experiment', async () => {
    const metrics = newMetrics();
    count(metrics);
    const { hops, isCounting } = readCoverage('shop', await metrics.render());
    expect(isCounting).toBe(true);
    expect(hops.map(({ route, host, calls, lost }) => [route, host, calls, lost])).toEqual([
      ['to-stock', 'stock.internal', 100, 0],
      ['to-mail', '*.mail.internal', 5, 0],
      ['to-price', '', 240, 30],
    ]);
    expect(hops[0]).toMatchObject({ header: 40, traceparent: 60, requestId: 0 });
  });

  test('leaks above what is tolerated, and not at it', async () => {
    const metrics = newMetrics();
    count(metrics);
    const [, , price] = readCoverage('shop', await metrics.render()).hops;
    expect([isLeaking(price!, 0), isLeaking(price!, 0.125), isLeaking(price!, 0.12)]).toEqual([
      true,
      false,
      true,
    ]);
  });

  test('between two readings is what came in between; after a restart, all of it', async () => {
    const metrics = newMetrics();
    count(metrics);
    const before = readCoverage('shop', await metrics.render());
    metrics.contexts.calls('to-price', '', 'baggage').value += 10;
    metrics.contexts.calls('to-new', '', 'lost').value += 1;
    const since = coverageSince(before, readCoverage('shop', await metrics.render()));
    expect(since.hops.map(({ route, calls, lost }) => [route, calls, lost])).toEqual([
      ['to-stock', 0, 0],
      ['to-mail', 0, 0],
      ['to-price', 10, 0],
      ['to-new', 1, 1],
    ]);
    const fresh = newMetrics();
    fresh.contexts.calls('to-price', '', 'lost').value += 3;
    expect(coverageSince(before, readCoverage('shop', await fresh.render())).hops).toMatchObject([
      { route: 'to-price', calls: 3, lost: 3 },
    ]);
  });

  test('has no labels but those of the sample', () => {
    const page =
      '# HELP fairlead_context_total x\nfairlead_context_total{direction="outbound",route="a\\"b",host="_overflow",how="lost"} 1e+21\n';
    expect(readCoverage('shop', page).hops).toMatchObject([
      { route: 'a\\"b', host: '_overflow', lost: 1e21 },
    ]);
    expect(readCoverage('shop', page).isCounting).toBe(false);
  });

  test('names what to do about ids that several users share', () => {
    const hop = { ...readCoverage('', '').hops[0], route: 'r', host: '', calls: 3, header: 2, baggage: 0 };
    const advice = adviceOn('shop', { ...hop, traceparent: 0, requestId: 0, ambiguous: 1, lost: 0 });
    expect(advice).toContain('shop -> route r: 1 of 3 calls (33%) bear an id');
    expect(advice).not.toContain('lost');
  });
});

describe('check', () => {
  let bench: AdminBench;
  let options: CheckOptions;

  beforeEach(async () => {
    bench = await newAdminBench();
    const port = await listen(bench.app, { kind: 'tcp', host: '127.0.0.1', port: 0 });
    options = { admin: [`http://127.0.0.1:${port}`], tolerated: 0, forSeconds: 0, output: 'text' };
  });
  afterEach(() => bench.close());

  test('names the host that gets calls without experiments, and exits 1', async () => {
    bench.metrics.contexts.setMemorySource(() => ({ events: {}, ids: 0, bytes: 0 }));
    count(bench.metrics);
    const io = new TestIo();
    expect(await checkCommand(options, io)).toBe(1);
    expect(io.outText).toBe(
      'SERVICE    ROUTE      HOST              CALLS   CARRIED   JOINED   AMBIGUOUS   LOST\n' +
        'checkout   to-stock   stock.internal    100     40        60       0           0\n' +
        'checkout   to-mail    *.mail.internal   5       0         5        0           0\n' +
        'checkout   to-price   -                 240     210       0        0           30\n' +
        'checkout -> route to-price: 30 of 240 calls (13%) lost their experiments. In the code of checkout, copy traceparent (or x-request-id, or baggage, or the experiment header) from the request that is served to the calls made for it.\n',
    );
    expect(io.errText).toBe('');
    expect(await checkCommand({ ...options, tolerated: 0.2 }, new TestIo())).toBe(0);
  });

  test('prints the same as JSON', async () => {
    count(bench.metrics);
    const io = new TestIo();
    expect(await checkCommand({ ...options, output: 'json' }, io)).toBe(1);
    const { isLeaking: isAnyLeaking, sidecars } = JSON.parse(io.outText);
    expect([isAnyLeaking, sidecars.length, sidecars[0].service]).toEqual([true, 1, 'checkout']);
    expect(sidecars[0].hops[2]).toMatchObject({ route: 'to-price', lost: 30, isLeaking: true });
    expect(sidecars[0].hops[2].advice).toContain('copy traceparent');
    expect(sidecars[0].hops[0]).toMatchObject({ route: 'to-stock', isLeaking: false });
  });

  test('shows every sidecar that it is given', async () => {
    count(bench.metrics);
    const io = new TestIo();
    const both = { ...options, admin: [...options.admin, ...options.admin], tolerated: 1 };
    expect(await checkCommand(both, io)).toBe(0);
    expect(io.outText.match(/^checkout /gm)).toHaveLength(6);
  });

  test('looks at the calls from now on with --for', async () => {
    count(bench.metrics);
    const io = new TestIo();
    const render = bench.metrics.render.bind(bench.metrics);
    // Behind the first reading, two calls are lost.
    bench.metrics.render = async () => {
      const page = await render();
      bench.metrics.contexts.calls('to-mail', '*.mail.internal', 'lost').value += 2;
      return page;
    };
    expect(await checkCommand({ ...options, forSeconds: 0.05, output: 'json' }, io)).toBe(1);
    const { hops } = JSON.parse(io.outText).sidecars[0];
    expect(hops.map((hop: { route: string; lost: number }) => [hop.route, hop.lost])).toEqual([
      ['to-stock', 0],
      ['to-mail', 2],
      ['to-price', 0],
    ]);
  });

  test('says of a sidecar that sees no calls that it does not', async () => {
    const io = new TestIo();
    expect(await checkCommand(options, io)).toBe(0);
    expect(io.outText).toBe('no calls that carry experiments or should\n');
    expect(io.errText).toContain('checkout: its calls are not looked at');
  });

  test('exits 5 when one of several sidecars does not answer', async () => {
    const both = [...options.admin, 'http://127.0.0.1:1'];
    const error = await checkCommand({ ...options, admin: both }, new TestIo()).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(CliError);
    expect(error.exitCode).toBe(5);
  });
});
