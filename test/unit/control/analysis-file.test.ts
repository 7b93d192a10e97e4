/** The file that keeps what was collected. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AnalysisWriter, readAnalysis } from '../../../src/control/analysis-file.ts';

let folder: string;
let said: string[];
const log = { warn: (_facts: object, sentence: string) => void said.push(sentence) };
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairlead-analysis-'));
  said = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function writerTo(file: string, changes: () => number) {
  const forms = () => [['ranking', { some: 'form' }] as const, ['other', {}] as const];
  return new AnalysisWriter({ file, log, key: [7, 4_294_967_295], forms, changes });
}

describe('the file of what was collected', () => {
  it('is written when there is something new, for its owner only, and read as it was', async () => {
    const file = join(folder, 'state.json.analysis');
    let changes = 0;
    const writer = writerTo(file, () => changes);
    await writer.write();
    expect(await readdir(folder)).toEqual([]);
    changes++;
    await writer.close();
    expect(await readdir(folder)).toEqual(['state.json.analysis']);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readAnalysis(file, log)).toEqual({
      key: [7, 4_294_967_295],
      experiments: new Map([
        ['ranking', { some: 'form' }],
        ['other', {}],
      ]),
    });
    expect(said).toEqual([]);
  });

  it('that is not there is nothing to tell of', async () => {
    expect(await readAnalysis(join(folder, 'none'), log)).toBeNull();
    expect(said).toEqual([]);
  });

  it('that is broken or another one is told of and left out', async () => {
    const file = join(folder, 'file');
    const writer = writerTo(file, () => Math.random());
    await writer.close();
    const whole = await readFile(file, 'utf8');
    const head = whole.split('\n')[0]!;
    const wrong = [
      whole.slice(0, -10),
      '',
      'nonsense',
      head.replace('"version":1', '"version":2'),
      head.replace('[7,', '[7.5,'),
      '{"format":"fairlead-state","version":1}',
    ];
    for (const text of wrong) {
      await writeFile(file, text);
      expect(await readAnalysis(file, log), text).toBeNull();
    }
    expect(said).toHaveLength(wrong.length);
    expect(said[0]).toBe(`the analysis file ${file} cannot be read (it is broken); the numbers begin anew`);
    expect(said[3]).toContain('(it is not a Fairlead analysis of version 1)');
  });

  it('that cannot be written is told of once', async () => {
    const writer = writerTo(join(folder, 'state', '\0'), () => Math.random());
    await writer.write();
    await writer.close();
    expect(said).toHaveLength(1);
    expect(said[0]).toContain('cannot be written');
  });
});
