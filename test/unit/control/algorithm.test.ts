/** Weights set at run time where another system's algorithm decides. */
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ControlFolder, halfAndHalf, kill, weightOf } from '../../support/control.ts';

let here: ControlFolder;

beforeEach(() => {
  here = new ControlFolder();
});

afterEach(() => here.remove());

function declare(variants: string, algorithm: string): void {
  const lines = [
    'version: 1',
    'upstreams: { app: "127.0.0.1:9001" }',
    `stateFile: ${here.stateFile}`,
    `experiments: { ranking: { variants: ${variants}, algorithm: ${algorithm} } }`,
    '',
  ];
  writeFileSync(here.file, lines.join('\n'));
}

test('percentages are set, and by the rule of the system more of them only adds units', async () => {
  declare('{ control: {}, candidate: { weight: 10% } }', '{ name: unleash, rollout: true }');
  const control = await here.open();
  const units = Array.from({ length: 1000 }, (_, index) => `user-${index}`);
  const treated = () => {
    const { bucketing } = control.snapshot.experiments.get('ranking')!;
    return new Set(units.filter((unit) => bucketing!.place(unit)?.variant === 1));
  };
  const before = treated();
  expect(control.change(halfAndHalf, 'anna').ok).toBe(true);
  const after = treated();
  expect(weightOf(control)).toBe(500_000);
  expect(after.size).toBeGreaterThan(400);
  expect([...before].filter((unit) => !after.has(unit))).toEqual([]);
  await control.flush();
});

test('the numbers of a system are changed in the file only, whatever was set before they were there', async () => {
  // The same shares as below, so that the change made here is not older than the file.
  declare('{ control: {}, candidate: { weight: 33.3333% } }', 'unleash');
  const first = await here.open();
  expect(first.change(halfAndHalf, 'anna').ok).toBe(true);
  await first.flush();

  declare('{ control: {}, candidate: {} }', '{ name: unleash, weights: { control: 2, candidate: 1 } }');
  const second = await here.open();
  expect(weightOf(second)).toBe(333_333);
  expect(second.change(halfAndHalf, 'anna')).toMatchObject({
    ok: false,
    code: 'weights_invalid',
    message: 'the shares are the numbers of its algorithm, unleash',
    hint: 'change them in the file',
  });
  expect(second.change(kill, 'anna').ok).toBe(true);
  await second.flush();
});

test('another order of the variants is taken up while running: an epoch where it moves units, none where not', async () => {
  const turned = async (algorithm: string): Promise<unknown[]> => {
    declare('{ control: { weight: 50% }, candidate: { weight: 50% } }', algorithm);
    const control = await here.open();
    const before = control.snapshot;
    declare('{ candidate: { weight: 50% }, control: { weight: 50% } }', algorithm);
    const { changed } = await control.reload('file');
    await control.flush();
    const { epoch } = control.snapshot.experiments.get('ranking')!;
    const isSame = control.snapshot.hash === before.hash;
    return [changed, isSame, epoch - before.experiments.get('ranking')!.epoch];
  };
  expect(await turned('growthbook2')).toEqual([true, false, 1]);
  expect(await turned('{ name: fairlead1 }')).toEqual([true, false, 0]);
});

test('another seed of the algorithm is another epoch, as another salt is; the same one is not', async () => {
  const epochWith = async (algorithm: string): Promise<number> => {
    declare('{ control: {}, candidate: { weight: 50% } }', algorithm);
    const control = await here.open();
    await control.flush();
    return control.snapshot.experiments.get('ranking')!.epoch;
  };
  expect(await epochWith('{ name: growthbook2, seed: one }')).toBe(1);
  expect(await epochWith('{ name: growthbook2, seed: one }')).toBe(1);
  expect(await epochWith('{ name: growthbook2, seed: two }')).toBe(2);
  expect(await epochWith('growthbook1')).toBe(3);
  expect(await epochWith('fairlead1')).toBe(4);
});
