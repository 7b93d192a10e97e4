import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CliError } from '../../../src/cli/io.ts';
import { statusCommand } from '../../../src/cli/status.ts';
import { blocks } from '../../support/docs.ts';
import { LiveAdmin, oneExperiment, rolloutAt, SaidIo } from '../../support/live-admin.ts';

let admin: LiveAdmin;
beforeEach(async () => {
  admin = await new LiveAdmin().open();
  Object.assign(admin.resources, oneExperiment());
});
afterEach(() => admin.close());

const ENDED = '10% -> 0%: the breaker api/ranking/candidate is open: error rate 30% >= 20%';
const RECORDS = [
  { id: 7, action: 'set-weights', target: 'ranking', actor: 'cli', reason: 'long ago' },
  { id: 8, action: 'set-weights', target: 'ranking', actor: 'rollout', reason: '1% -> 10%: errors' },
  { id: 9, action: 'rollout-advance', target: 'ranking', actor: 'rollout', reason: '1% -> 10%: errors' },
  { id: 10, action: 'kill', target: 'checkout', actor: 'token:ann', reason: 'another experiment' },
  {
    ...{ id: 11, action: 'breaker-opened', target: 'api/ranking/candidate' },
    ...{ actor: 'breaker', reason: 'error rate 30% >= 20%' },
  },
  { id: 12, action: 'rollout-roll-back', target: 'ranking', actor: 'rollout', reason: ENDED },
].map((record) => ({ ...record, at: '2026-11-21T20:15:05.000Z', result: 'done' }));

const show = (io: SaidIo, more: object = {}) =>
  statusCommand({ admin: admin.url, name: 'ranking', output: 'text', ...more }, io, 2);

/** The rollout holds, then goes back; the records appear with it. */
function goesBack(): void {
  let looks = 0;
  admin.resources['/v1/rollouts'] = () => {
    const isOver = ++looks > 3;
    const rollout = isOver
      ? rolloutAt('rolled-back', 2, '0%', ENDED)
      : rolloutAt('baking', 2, '10%', `holds at 10%: look ${looks}`);
    return { rollouts: [rollout] };
  };
  admin.resources['/v1/audit'] = () => ({
    audit: (looks > 3 ? RECORDS : RECORDS.slice(0, 1)).toReversed(),
  });
}

describe('status', () => {
  test('says in sentences where an experiment stands, as docs/terminal.md shows', async () => {
    const io = new SaidIo();
    expect(await show(io)).toBe(0);
    expect(await blocks('docs/terminal.md', 'text')).toContain(io.outText);
    expect(io.outText).toContain('since 20:15:03 UTC: holds at 10%: bakes for another 4 s\n');
  });

  test('says which breaker is open and why, and that there is no rollout and no analysis', async () => {
    const { breakers } = admin.resources['/v1/breakers'] as { breakers: object[] };
    breakers[1] = { ...breakers[1], state: 'open', reason: 'error rate 30% >= 20%' };
    delete admin.resources['/v1/rollouts'];
    admin.resources['/v1/results'] = {
      results: [{ experiment: 'ranking', state: 'off', verdict: { kind: 'off', reason: 'x' } }],
    };
    const io = new SaidIo();
    expect(await show(io, { name: null })).toBe(0);
    expect(io.outText).toContain('  rollout: none was started\n');
    expect(io.outText).toContain('  breakers: api/ranking/candidate is open: error rate 30% >= 20%\n');
    expect(io.outText).toContain('  verdict: no analysis\n');
  });

  test('names the experiments that there are when there is none of that name', async () => {
    const failed = await show(new SaidIo(), { name: 'rankign' }).catch((error: CliError) => error);
    expect(failed).toBeInstanceOf(CliError);
    expect(failed).toMatchObject({ exitCode: 1, message: expect.stringContaining('there are: ranking') });
  });
});

describe('status -w', () => {
  test('tells what happens as it happens, and is 1 when the rollout went back', async () => {
    goesBack();
    const io = new SaidIo();
    expect(await show(io, { watch: true })).toBe(1);
    expect(io.outText.split('\n').slice(4)).toEqual([
      '20:15:05 rollout-advance: 1% -> 10%: errors',
      '20:15:05 breaker-opened api/ranking/candidate by breaker: error rate 30% >= 20%',
      `ranking: rolled back at 20:15:03 UTC: ${ENDED}`,
      '',
    ]);
  });

  test('redraws on a terminal what it waits for', async () => {
    goesBack();
    const io = new SaidIo({}, true);
    expect(await show(io, { watch: true })).toBe(1);
    expect(io.outText).toContain('\r\u001b[Kbaking 2/4: holds at 10%: look 2');
    expect(io.outText.endsWith(`${ENDED}\n`)).toBe(true);
  });

  test('is 0 when it was promoted, at once if that was before', async () => {
    admin.resources['/v1/rollouts'] = {
      rollouts: [rolloutAt('promoted', 4, '100%', 'everybody gets it: errors')],
    };
    const io = new SaidIo();
    expect(await show(io, { watch: true })).toBe(0);
    expect(io.outText).toContain('ranking: promoted at 20:15:03 UTC: everybody gets it: errors\n');
  });

  test('is 1 when there is nothing to follow, and says how to begin', async () => {
    admin.resources['/v1/rollouts'] = { rollouts: [] };
    const io = new SaidIo();
    expect(await show(io, { watch: true })).toBe(1);
    expect(io.errText).toContain('`fairlead start-rollout ranking` begins one');
  });

  test('prints each change as a line of JSON', async () => {
    goesBack();
    const io = new SaidIo();
    expect(await show(io, { watch: true, output: 'json' })).toBe(1);
    const lines = io.outText
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.filter(({ happening }) => happening).map(({ happening }) => happening.id)).toEqual([
      8, 9, 11, 12,
    ]);
    expect(lines.at(-1).experiment.rollout.phase).toBe('rolled-back');
  });

  test('goes on when the sidecar was away for a moment', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fairlead-status-'));
    const path = join(folder, 'admin.sock');
    await admin.close();
    admin = await new LiveAdmin().open(path);
    Object.assign(admin.resources, oneExperiment());
    const io = new SaidIo();
    const running = show(io, { watch: true });
    await expect.poll(() => admin.asked.length).toBeGreaterThan(15);
    await admin.close();
    await expect.poll(() => io.errText).toContain('asking again for a minute');
    admin = new LiveAdmin();
    Object.assign(admin.resources, oneExperiment(), {
      '/v1/rollouts': { rollouts: [rolloutAt('promoted', 4, '100%', 'everybody gets it: errors')] },
    });
    await admin.open(path);
    expect(await running).toBe(0);
    await admin.close();
    rmSync(folder, { recursive: true });
  });

  test('needs to know which of several', async () => {
    const { experiments } = admin.resources['/v1/experiments'] as { experiments: object[] };
    experiments.push({ ...experiments[0], name: 'checkout' });
    const failed = await show(new SaidIo(), { name: null, watch: true }).catch((error: CliError) => error);
    expect(failed).toMatchObject({ exitCode: 2, message: expect.stringContaining('ranking, checkout') });
  });

  test('is 130 by Ctrl-C', async () => {
    const io = new SaidIo();
    const running = show(io, { watch: true });
    await expect.poll(() => process.listenerCount('SIGINT')).toBe(1);
    process.emit('SIGINT');
    expect(await running).toBe(130);
  });
});
