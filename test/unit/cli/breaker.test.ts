/** `fairlead breaker` and what `fairlead get breakers` shows of modes and budgets. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listen } from '../../../src/admin/server.ts';
import { tableOf } from '../../../src/cli/get-table.ts';
import { type AdminBench, newAdminBench } from '../../support/admin.ts';
import { runSaying } from '../../support/cli-said.ts';

const NAME = 'api/ranking/candidate';

let bench: AdminBench;
let admin: string;
beforeEach(async () => {
  bench = await newAdminBench();
  admin = `http://127.0.0.1:${await listen(bench.app, { kind: 'tcp', host: '127.0.0.1', port: 0 })}`;
});
afterEach(() => bench.close());

const run = (...argv: string[]) => runSaying([...argv, '--admin', admin]);

describe('fairlead breaker', () => {
  test('trips, forces and resets, with a reason', async () => {
    expect(await run('breaker', 'trip', NAME, '--for', '5m', '--reason', 'drill')).toEqual({
      code: 0,
      said: `${NAME} turns everything away for 5m; \`fairlead breaker reset ${NAME}\` ends it before\n`,
    });
    expect((await run('breaker', 'force', NAME, 'closed', '--for', '1h')).said).toContain(
      'lets everything through for 1h',
    );
    expect((await run('breaker', 'force', NAME, 'observe', '--for', '1h')).said).toContain(
      'only observes for 1h',
    );
    expect((await run('breaker', 'reset', NAME, '--reason', 'over')).said).toBe(
      `${NAME} is closed, and begins to count anew\n`,
    );
    expect(bench.plane.calls.map(([verb, , kind, forMs]) => [verb, kind, forMs])).toEqual([
      ['force', 'open', 300_000],
      ['force', 'closed', 3_600_000],
      ['force', 'observe', 3_600_000],
      ['reset', expect.stringContaining('over'), undefined],
    ]);
  });

  test('is refused without a time limit, beyond a day, and for what is no state or no breaker', async () => {
    expect((await run('breaker', 'trip', NAME)).code).toBe(2);
    expect((await run('breaker', 'force', NAME, 'closed')).said).toContain(
      "required option '--for <duration>'",
    );
    expect((await run('breaker', 'force', NAME, 'half-open', '--for', '1m')).code).toBe(2);
    const tooLong = await run('breaker', 'trip', NAME, '--for', '25h');
    expect([tooLong.code, tooLong.said]).toEqual([2, 'for: must be above 0 and at most 24h']);
    expect((await run('breaker', 'trip', 'api/ranking/none', '--for', '1m')).code).toBe(1);
    expect(bench.plane.calls).toEqual([]);
  });
});

describe('the table of breakers', () => {
  const breaker = {
    name: NAME,
    state: 'open',
    mode: 'forced-open',
    force: { kind: 'open', forMs: 41_200, reason: 'forced open for 60s: drill' },
    trips: 3,
    budget: {
      remainingRatio: 0.8731,
      burn: [
        { rate: 14.4, long: 0.31, short: 22 },
        { rate: 6, long: 0.4, short: 0.1 },
      ],
    },
    reason: 'forced open for 60s: drill',
  };

  test('shows the mode with the time that is left, the budget and the openings', () => {
    const [titles, row] = tableOf('breakers', [breaker], false).split('\n');
    const at = (title: string): string => row!.slice(titles!.indexOf(title)).split(/\s{2,}/)[0]!;
    expect([at('MODE'), at('BUDGET'), at('TRIPS')]).toEqual(['forced-open 42s', '87.3%', '3']);
  });

  test('wide, shows how fast the budget burns over both times, and the limits', () => {
    expect(tableOf('breakers', [breaker], true)).toContain('0.3x/14.4x, 0.1x/6x');
  });
});
