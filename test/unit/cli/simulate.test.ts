/** `fairlead simulate`: what it counts is what the request path decides, and a split that is off is noticed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { simulateCommand } from '../../../src/cli/simulate.ts';
import { type Simulation, simulate } from '../../../src/cli/simulate-units.ts';
import { snapshotOf } from '../../support/config.ts';
import { Recorder } from '../../support/recorder.ts';

const SHOP = `
version: 1
requireMetadata: false
upstreams: { v1: "127.0.0.1:9001", v2: "127.0.0.1:9002" }
holdout: { share: 5% }
layers: { ui: { holdout: 2% } }
routes: [{ name: all, upstream: v1, experiments: [ranking, banner, search, flag] }]
experiments:
  ranking: { traffic: 50%, variants: { control: {}, candidate: { weight: 10%, upstream: v2 } } }
  banner: { layer: ui, range: 0%-50%, variants: { control: {}, a: { weight: 33% }, b: { weight: 33% } } }
  search: { layer: ui, range: 50%-90%, status: draft, variants: { control: {}, candidate: { weight: 50% } } }
  flag: { requires: [{ experiment: ranking, variant: candidate }], variants: { control: {}, on: { weight: 50% } } }
`;

const one = (simulation: Simulation, name: string) =>
  simulation.experiments.find((experiment) => experiment.name === name)!;

describe('a simulation', () => {
  const simulation = simulate(snapshotOf(SHOP), 20_000, null);

  test('counts every unit once in each experiment', () => {
    expect(simulation.experiments.map(({ name }) => name)).toEqual(['ranking', 'banner', 'search', 'flag']);
    for (const { included, excluded, variants } of simulation.experiments) {
      expect(variants.reduce((sum, { units }) => sum + units, 0)).toBe(included);
      expect(Object.values(excluded).reduce((sum, count) => sum + count, included)).toBe(20_000);
    }
  });

  test('has the shares of holdouts, layers and gates', () => {
    const { excluded, holdoutShare } = one(simulation, 'banner');
    expect(holdoutShare).toBeCloseTo(1 - 0.95 * 0.98, 12);
    expect(excluded.holdout! / 20_000).toBeCloseTo(holdoutShare, 2);
    expect(excluded['not-in-layer']! / 20_000 / (1 - holdoutShare)).toBeCloseTo(0.5, 1);
    expect(one(simulation, 'ranking').excluded['not-enrolled']! / 20_000).toBeCloseTo(0.475, 2);
  });

  test('takes a draft for running, and asks no targeting', () => {
    const text = SHOP.replace(
      'status: draft',
      'status: draft, targeting: [{ header: x-country, equals: DE }]',
    );
    expect(one(simulate(snapshotOf(text), 20_000, null), 'search')).toEqual(one(simulation, 'search'));
    expect(one(simulation, 'search').included).toBeGreaterThan(6000);
  });

  test('finds nobody in two experiments of a layer, and as many as chance has it in others', () => {
    const overlap = (a: string, b: string) =>
      simulation.overlaps.find(({ experiments }) => experiments[0] === a && experiments[1] === b)!;
    expect(overlap('banner', 'search')).toMatchObject({ layer: 'ui', units: 0 });
    const { layer, units, expected } = overlap('ranking', 'banner');
    expect(layer).toBeNull();
    expect(units / expected).toBeCloseTo(1, 1);
  });

  test('gives what is required before what requires it', () => {
    const [ranking, flag] = [one(simulation, 'ranking'), one(simulation, 'flag')];
    const candidates = ranking.variants.find(({ name }) => name === 'candidate')!.units;
    expect(flag.included).toBe(candidates);
    expect(flag.excluded.prerequisite).toBe(20_000 - candidates);
  });

  test('does not split what is killed or concluded', () => {
    const text = SHOP.replace('status: draft', 'status: killed');
    expect(one(simulate(snapshotOf(text), 100, null), 'search')).toMatchObject({
      included: 0,
      excluded: { killed: 100 },
      fit: null,
    });
  });

  test('is the same again, and of one experiment the same as of all', () => {
    const again = simulate(snapshotOf(SHOP), 20_000, 'flag');
    expect(again.experiments).toEqual([one(simulation, 'flag')]);
    expect(again.overlaps).toEqual(
      simulation.overlaps.filter(({ experiments }) => experiments.includes('flag')),
    );
  });
});

describe('simulate', () => {
  let folder: string;
  let io: Recorder;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead-simulate-'));
    io = new Recorder();
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function write(text: string): string {
    const file = join(folder, 'shop.yaml');
    writeFileSync(file, text);
    return file;
  }

  test('prints who is in, the split and who is in two, and 0 for a split as declared', async () => {
    const options = { config: write(SHOP), units: 20_000, output: 'text' } as const;
    expect(await simulateCommand(options, io)).toBe(0);
    expect(io.stdout).toMatch(/^20000 units\n\nEXPERIMENT +STATUS +IN +HELD-OUT +DECLARED +NOT-IN-LAYER/);
    expect(io.stdout).toMatch(/^banner +b +\d+ +3\d\.\d\d% +33% +0\.\d{4}$/m);
    expect(io.stdout).toMatch(/^banner +search +ui +0 +0$/m);
    expect(io.stderr).toBe('');
  });

  test('exits 1 when the split is not the declared one', async () => {
    // GrowthBook's first hash has a thousand buckets: 0.15 % are one of them or two.
    const text = `
version: 1
requireMetadata: false
upstreams: { v1: "127.0.0.1:9001" }
experiments:
  coarse: { algorithm: { name: growthbook1 }, variants: { control: {}, candidate: { weight: 0.15% } } }
`;
    expect(await simulateCommand({ config: write(text), units: 200_000, output: 'json' }, io)).toBe(1);
    const { isSound, experiments } = JSON.parse(io.stdout) as Simulation;
    expect([isSound, experiments[0]!.fit!.p < 0.001]).toEqual([false, true]);
  });

  test('is 3 for a file that is not valid, and knows the experiments', async () => {
    const options = { units: 10, output: 'text' } as const;
    expect(await simulateCommand({ ...options, config: write('version: 2\n') }, io)).toBe(3);
    const config = write(SHOP);
    await expect(simulateCommand({ ...options, config, experiment: 'no' }, io)).rejects.toMatchObject({
      exitCode: 2,
      message: 'there is no experiment "no"; known: ranking, banner, search, flag',
    });
    await expect(simulateCommand({ ...options, config, units: 1e8 }, io)).rejects.toMatchObject({
      exitCode: 2,
    });
  });
});
