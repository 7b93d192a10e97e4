import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CliError } from '../../../src/cli/io.ts';
import { runProgram } from '../../../src/cli/program.ts';
import { tapLine } from '../../../src/cli/tap.ts';
import { blocks } from '../../support/docs.ts';
import { LiveAdmin, oneExperiment, SaidIo } from '../../support/live-admin.ts';

let admin: LiveAdmin;
beforeEach(async () => {
  admin = await new LiveAdmin().open();
  Object.assign(admin.resources, oneExperiment());
});
afterEach(() => admin.close());

const REQUEST = {
  at: '2026-11-21T20:15:03.120Z',
  method: 'GET',
  route: 'api',
  status: 200,
  durationMs: 1.24,
  outcome: 'ok',
  upstream: 'v2/127.0.0.1:9002',
  code: null,
  retries: 0,
  experiments: [{ name: 'ranking', assigned: 'candidate', served: 'candidate', reason: 'split' }],
};

async function run(io: SaidIo, ...words: string[]): Promise<number | string> {
  return runProgram([...words, '--admin', admin.url], io).catch((error: CliError) => {
    if (!(error instanceof CliError)) throw error;
    return `${error.exitCode}: ${error.message}`;
  });
}

describe('stat', () => {
  test('prints a table of variants and one of routes', async () => {
    const io = new SaidIo();
    expect(await run(io, 'stat')).toBe(0);
    expect(io.outText.split('\n').map((line) => line.split(/\s{2,}/).join(' '))).toEqual([
      'EXPERIMENT VARIANT REQ/S ERRORS SLOW P50 P90 P99 IN-FLIGHT REQUESTS FAILURES',
      'ranking control 45.0 0.4% 0.0% 1.2ms 12ms 1.2s 2 900 3',
      'ranking candidate 5.0 0.4% 0.0% 1.2ms 12ms 1.2s 2 100 3',
      '',
      'ROUTE REQ/S ERRORS P50 P99',
      'api 50.0 0.0% 1.2ms 1.2s',
      '',
    ]);
  });

  test('prints what the sidecar says as JSON', async () => {
    const io = new SaidIo();
    expect(await run(io, 'stat', '-o', 'json')).toBe(0);
    expect(JSON.parse(io.outText)).toEqual(admin.resources['/v1/stats']);
  });

  test('sends a token where there is one, since reading may need it', async () => {
    await run(new SaidIo({ FAIRLEAD_ADMIN__TOKEN: 'from-the-environment' }), 'stat');
    // Whoever is there is asked who it is first.
    expect(admin.authorization).toEqual([undefined, 'Bearer from-the-environment']);
  });

  test('is 1 with a sentence when a sidecar has no such figures', async () => {
    delete admin.resources['/v1/stats'];
    expect(await run(new SaidIo(), 'stat')).toMatch(/^1: this sidecar has no figures/);
  });
});

describe('tap', () => {
  test('prints a line for each request until it has as many as were asked for', async () => {
    admin.onStream = (stream) => {
      stream.write(': hello\n\n');
      for (let i = 0; i < 3; i++) stream.write(`event: request\ndata: ${JSON.stringify(REQUEST)}\n\n`);
    };
    const io = new SaidIo();
    expect(await run(io, 'tap', '-n', '2')).toBe(0);
    const line = '20:15:03.120 GET api 200 1.2ms ok v2/127.0.0.1:9002 ranking=candidate (split)\n';
    expect(io.outText).toBe(line + line);
    expect(await blocks('docs/terminal.md', 'text')).toContain(line);
  });

  test('asks for what was asked for', async () => {
    admin.onStream = (stream) => stream.write('event: request\ndata: {}\n\n');
    const filters = ['--experiment', 'ranking', '--variant', 'a b', '--route', 'api', '--outcome', 'failure'];
    const io = new SaidIo();
    expect(await run(io, 'tap', ...filters, '--status', '5xx', '--rate', '100', '-n', '1')).toBe(0);
    expect(Object.fromEntries(new URL(admin.asked[0]!, admin.url).searchParams)).toEqual({
      experiment: 'ranking',
      variant: 'a b',
      route: 'api',
      outcome: 'failure',
      status: '5xx',
      rate: '100',
    });
  });

  test('prints the data as it came, a line each, and on stderr how many are not shown', async () => {
    admin.onStream = (stream) => {
      stream.write('event: dropped\ndata: {"count":12}\n\n');
      stream.write('event: request\ndata: {"at":"now","new":1}\n\n');
    };
    const io = new SaidIo();
    expect(await run(io, 'tap', '-o', 'json', '-n', '1')).toBe(0);
    expect(io.outText).toBe('{"at":"now","new":1}\n');
    expect(io.errText).toBe('12 more matched and are not shown\n');
  });

  test('is 5 when the sidecar ends it, and 130 by Ctrl-C', async () => {
    admin.onStream = (stream) => stream.end();
    expect(await run(new SaidIo(), 'tap')).toMatch(/^5: the sidecar has ended the tap/);
    admin.onStream = () => process.emit('SIGINT');
    expect(await run(new SaidIo(), 'tap')).toBe(130);
    expect(process.listenerCount('SIGINT')).toBe(0);
  });

  test('takes a rate that the sidecar gives', async () => {
    const io = new SaidIo();
    expect(await run(io, 'tap', '--rate', '101')).toBe(2);
    expect(io.errText).toContain('at most 100');
  });

  test('says who served, what failed and what was tried again', () => {
    const [experiment] = REQUEST.experiments;
    const line = tapLine({
      ...{ ...REQUEST, status: 0, outcome: 'failure', upstream: '', code: 'upstream_reset', retries: 1 },
      experiments: [{ ...experiment!, served: 'control', reason: 'failover' }],
    });
    expect(line).toBe(
      '20:15:03.120 GET api none 1.2ms failure - ranking=candidate served by control (failover) upstream_reset 1 more attempt',
    );
  });
});
