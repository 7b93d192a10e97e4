/** The loop that follows rollouts: what it puts into force, onto the record and into the state file. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RolloutBench } from '../../support/rollout-bench.ts';

const QUICK = '{ steps: [10%, 50%], bake: 5s, requests: 100 }';
const GOOD = { control: 5, candidate: 5 };
const BAD = { control: 5, candidate: 100 };

let bench: RolloutBench;

beforeEach(async () => {
  bench = new RolloutBench();
  bench.declare(QUICK);
  await bench.open();
});

afterEach(() => bench.folder.remove());

describe('a rollout', () => {
  test('moves the weights by the one writer, and the declared file stays as it is', async () => {
    const declared = readFileSync(bench.folder.file, 'utf8');
    expect(await bench.start()).toMatchObject({ ok: true, state: { phase: 'baking', sharePpm: 100_000 } });
    expect(bench.share()).toBe(10);
    await bench.seconds(7, 1_000, GOOD);
    expect(bench.share()).toBe(50);
    await bench.seconds(7, 1_000, GOOD);
    expect(bench.state().phase).toBe('promoted');
    expect(bench.share()).toBe(100);
    expect(readFileSync(bench.folder.file, 'utf8')).toBe(declared);
    expect(bench.control.runtime.experiments.get('ranking')!.weights!.actor).toBe('rollout');
    expect(bench.told).toEqual(['ranking start', 'ranking advance', 'ranking promote']);
  });

  test('puts each decision on record with the numbers it was made by', async () => {
    await bench.start();
    await bench.seconds(3, 1_000, BAD);
    expect(bench.share()).toBe(0);
    const record = bench.records().at(-1)!;
    expect(record).toMatchObject({ action: 'rollout-roll-back', actor: 'rollout', target: 'ranking' });
    expect(record).toMatchObject({ before: 'step 1, 10%, baking', after: 'step 1, 0%, rolled-back' });
    expect(record.inputs!.checks).toMatchObject([
      {
        guardrail: 'errors',
        kind: 'breach',
        margin: 0.01,
        control: { hits: 5, requests: 1_000 },
        candidate: { hits: 100, requests: 1_000 },
      },
    ]);
  });

  test('counts only what came after it began', async () => {
    await bench.seconds(5, 1_000, BAD);
    await bench.start();
    await bench.seconds(3, 1_000, GOOD);
    expect(bench.state().counts.candidate).toEqual({ requests: 2_000, hits: { errors: 10 } });
  });

  test('goes on after a restart where it stood, with what was counted', async () => {
    await bench.start();
    await bench.seconds(8, 1_000, GOOD);
    const before = bench.state();
    expect(before.step).toBe(1);
    bench.rollouts.close();
    await bench.control.flush();
    await bench.open();
    expect(bench.state()).toEqual(before);
    expect(bench.share()).toBe(50);
    await bench.seconds(7, 1_000, GOOD);
    expect(bench.state().phase).toBe('promoted');
  });

  test('does not begin when the pre-flight check finds something, unless that is skipped', async () => {
    bench.problems = ['the upstream v2 cannot be reached (ECONNREFUSED)'];
    expect(await bench.start()).toMatchObject({
      ok: false,
      message: 'the pre-flight check failed: the upstream v2 cannot be reached (ECONNREFUSED)',
    });
    expect(bench.share()).toBe(0);
    expect(await bench.start({ skipPreflight: true })).toMatchObject({ ok: true });
  });

  test('does not begin when a webhook is against it, when there is one already, or none is declared', async () => {
    bench.against = 'confirm-rollout: the webhook ci answered 403';
    expect(await bench.start()).toMatchObject({ ok: false, message: bench.against });
    bench.against = null;
    await bench.start();
    expect(await bench.start()).toMatchObject({ ok: false, message: 'a rollout is under way (baking)' });
    expect(
      await bench.rollouts.start('other', { actor: '', reason: '', skipPreflight: false }),
    ).toMatchObject({
      ok: false,
      message: 'other has no rollout in the configuration',
    });
  });

  test('goes back when somebody kills the experiment, and when a breaker opens', async () => {
    await bench.start();
    const kill = { kind: 'set-status', experiment: 'ranking', status: 'killed', reason: 'slow' } as const;
    bench.control.change(kill, 'token:bob');
    await bench.seconds(1, 10, GOOD);
    expect(bench.state()).toMatchObject({ phase: 'rolled-back' });
    expect(bench.state().reason).toBe('10% -> 0%: the experiment is killed: by token:bob: slow');
    bench.control.change({ kind: 'clear', experiment: 'ranking', reason: 'again' }, 'token:bob');
    await bench.start();
    bench.openBreaker = { name: 'all/ranking/candidate', reason: 'error rate 30% >= 5%' };
    await bench.seconds(1, 10, GOOD);
    expect(bench.state().reason).toBe(
      '10% -> 0%: the breaker all/ranking/candidate is open: error rate 30% >= 5%',
    );
  });

  test('pauses when somebody else moves the weights, and goes on from there', async () => {
    await bench.start();
    bench.control.change(
      { kind: 'set-weights', experiment: 'ranking', weightsPpm: { candidate: 30_000 }, reason: 'less' },
      'token:bob',
    );
    await bench.seconds(1, 10, GOOD);
    expect(bench.state()).toMatchObject({ phase: 'paused', sharePpm: 30_000 });
    expect(bench.act('resume')).toMatchObject({ ok: true });
    await bench.seconds(1, 10, GOOD);
    expect(bench.state()).toMatchObject({ phase: 'baking', sharePpm: 30_000 });
  });

  test('is told by people, and refuses with a reason', async () => {
    expect(bench.act('promote')).toMatchObject({
      ok: false,
      message: 'ranking has no rollout that was started',
    });
    await bench.start();
    expect(bench.act('promote')).toMatchObject({ ok: true });
    expect(bench.share()).toBe(50);
    expect(bench.act('abort')).toMatchObject({ ok: true });
    expect(bench.share()).toBe(0);
    expect(bench.act('undo')).toMatchObject({ ok: true, state: { phase: 'paused' } });
    expect(bench.share()).toBe(50);
  });

  test('pauses when its plan is changed or taken out of the file', async () => {
    await bench.start();
    bench.declare('{ steps: [10%, 60%], bake: 5s }');
    await bench.control.reload('file');
    await bench.seconds(1, 10, GOOD);
    expect(bench.state().reason).toMatch(/^the plan was changed/);
    bench.act('resume');
    bench.declare(null);
    await bench.control.reload('file');
    await bench.seconds(1, 10, GOOD);
    expect(bench.state()).toMatchObject({ phase: 'paused', sharePpm: 100_000 });
    expect(bench.act('promote')).toMatchObject({ ok: false });
    expect(bench.act('abort')).toMatchObject({ ok: true });
    expect(bench.share()).toBe(0);
  });

  test('says once that it does not move when it cannot look, and goes on when it can', async () => {
    await bench.start();
    bench.evidenceProblem = new Error('no counts');
    bench.rollouts.open();
    await expect.poll(() => bench.folder.warnings(), { timeout: 20_000 }).toHaveLength(1);
    expect(bench.folder.warnings()[0]).toContain('rollouts do not move: no counts');
    bench.evidenceProblem = null;
    bench.openBreaker = { name: 'all/ranking/candidate', reason: 'error rate 30% >= 5%' };
    await expect.poll(() => bench.share(), { timeout: 20_000 }).toBe(0);
    bench.rollouts.close();
    expect(bench.folder.warnings()).toHaveLength(1);
  });
});
