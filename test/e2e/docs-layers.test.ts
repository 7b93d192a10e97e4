/** docs/layers.md and docs/lifecycle.md as somebody would try them: every file, every command, and what it prints. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { layersView } from '../../src/admin/layer-view.ts';
import { type GetWhat, tableOf } from '../../src/cli/get-table.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { snapshotOf } from '../support/config.ts';
import { commands } from '../support/docs.ts';

const ROOT = join(import.meta.dirname, '../..');
const SHIM = join(ROOT, 'bin/fairlead.js');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-layers-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What `explain` says that is about these pages. */
const STEPS = /^ {4}((?:layer|split|holdout|dates|status|requires)\b.*)$/gm;

/** The blocks of a language on a page, in order. */
function blocksOf(page: string, language: string): string[] {
  const text = readFileSync(join(ROOT, 'docs', page), 'utf8');
  return [...text.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    (match) => match[1]!,
  );
}

/** The steps that the command lines of a block print. */
async function steps(block: string): Promise<string[]> {
  const printed: string[] = [];
  for (const line of commands(block)) {
    const own = line.replace(/^npx fairlead/, `'${process.execPath}' '${SHIM}'`);
    const { stdout, stderr } = await promisify(execFile)('sh', ['-c', own], { cwd: folder });
    expect(stderr).toBe('');
    printed.push(...[...stdout.matchAll(STEPS)].map((match) => match[1]!));
  }
  return printed;
}

describe.each(['layers.md', 'lifecycle.md'])('docs/%s', (page) => {
  it('shows one file, which is valid, and commands that print what it says', async () => {
    const [config, ...others] = blocksOf(page, 'yaml');
    expect(others).toEqual([]);
    expect(parseConfig(config!, page).issues.filter(({ severity }) => severity === 'error')).toEqual([]);
    writeFileSync(join(folder, 'shop.yaml'), config!);
    const [shown, said] = [blocksOf(page, 'sh'), blocksOf(page, 'text')];
    expect(shown.length).toBeGreaterThan(0);
    expect(said).toHaveLength(shown.length);
    for (const [index, block] of shown.entries())
      expect(await steps(block)).toEqual(said[index]!.trim().split('\n'));
  });
});

it('docs/layers.md shows the table of its own file', () => {
  const [shown] = blocksOf('layers.md', 'console');
  const [command, ...table] = shown!.trimEnd().split('\n');
  const what = command!.replace('$ fairlead get ', '') as GetWhat;
  const { layers, holdout } = layersView(snapshotOf(blocksOf('layers.md', 'yaml')[0]!));
  const printed = tableOf(what, layers as unknown as Record<string, unknown>[], false);
  const note = `${holdout!.share} of all units are held out of every experiment`;
  expect(table.map((line) => line.replace(/ +$/, ''))).toEqual([...printed.trimEnd().split('\n'), note]);
});
