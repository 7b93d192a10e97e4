/** What was changed at run time outlives the process: `src/control/state-file.ts`, `state-writer.ts`. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ControlFolder, halfAndHalf, kill, START_MS, weightOf } from '../../support/control.ts';

let here: ControlFolder;

beforeEach(() => {
  here = new ControlFolder();
});

afterEach(() => here.remove());

describe('over a restart', () => {
  test('status, weights and slots are kept', async () => {
    here.declare();
    const first = await here.open();
    first.change(halfAndHalf, 'anna');
    first.change(kill, 'anna');
    await first.flush();
    const second = await here.open();
    expect(second.snapshot.experiments.get('ranking')?.status).toBe('killed');
    expect(weightOf(second)).toBe(500_000);
    expect(second.snapshot.experiments.get('ranking')?.slots).toEqual(
      first.snapshot.experiments.get('ranking')?.slots,
    );
    expect(second.snapshot.version).toBe(1);
  });

  test('an experiment that was killed and left the file is still killed when it comes back', async () => {
    here.declare();
    const control = await here.open();
    control.change(kill, 'anna');
    writeFileSync(
      here.file,
      `version: 1\nupstreams: { app: "127.0.0.1:9001" }\nstateFile: ${here.stateFile}\n`,
    );
    await control.reload('file');
    expect(control.snapshot.experiments.size).toBe(0);
    expect(control.view().runtime.ranking?.isDeclared).toBe(false);
    await control.flush();
    here.declare();
    expect((await here.open()).snapshot.experiments.get('ranking')?.status).toBe('killed');
  });

  test.each([
    ['text that is no JSON', '{"format": "fairl'],
    ['nothing at all', ''],
    ['another format', '{"format": "other", "version": 1, "experiments": {}}'],
    ['a later version', '{"format": "fairlead-state", "version": 2, "experiments": {}}'],
    [
      'weights that are no numbers',
      '{"format": "fairlead-state", "version": 1, "experiments": {"a": {"salt": "a", "status": null, "slots": [], "weights": 5}}}',
    ],
  ])('a state file with %s is set aside and the declared config holds', async (_name, text) => {
    here.declare();
    writeFileSync(here.stateFile, text);
    const control = await here.open();
    await control.flush();
    expect(weightOf(control)).toBe(100_000);
    const aside = `state.json.broken-${START_MS}`;
    expect(readdirSync(here.folder).sort()).toEqual(['fairlead.yaml', 'state.json', aside].sort());
    expect(readFileSync(here.path(aside), 'utf8')).toBe(text);
    expect(here.events.some((event) => event.kind === 'warning' && event.message.includes(aside))).toBe(true);
  });

  test('a state file that cannot be written is reported once and stops nothing', async () => {
    here.declare();
    writeFileSync(
      here.file,
      readFileSync(here.file, 'utf8').replace('state.json', 'fairlead.yaml/state.json'),
    );
    const control = await here.open();
    expect(control.change(halfAndHalf, 'anna').ok).toBe(true);
    await control.flush();
    expect(control.change(kill, 'anna').ok).toBe(true);
    await control.flush();
    expect(weightOf(control)).toBe(500_000);
    expect(
      here.events.filter((event) => event.kind === 'warning' && event.message.includes('cannot be written')),
    ).toHaveLength(1);
  });

  test('the state file is private and no temporary file is left', async () => {
    here.declare();
    const control = await here.open();
    for (let weight = 1; weight <= 20; weight++)
      control.change({ ...halfAndHalf, weightsPpm: { candidate: weight } }, 'anna');
    await control.flush();
    expect(readdirSync(here.folder).sort()).toEqual(['fairlead.yaml', 'state.json']);
    expect(JSON.parse(readFileSync(here.stateFile, 'utf8'))).toMatchObject({
      format: 'fairlead-state',
      version: 1,
      experiments: { ranking: { weights: { weightsPpm: { candidate: 20 } } } },
    });
  });
});
