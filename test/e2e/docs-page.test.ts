/** docs/page.md: its configuration is accepted and does what is said, its pictures and commands are there. */
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { withoutMetadata } from '../support/config.ts';
import { blocks, commands } from '../support/docs.ts';

const ROOT = join(import.meta.dirname, '../..');
const DOC = 'docs/page.md';
/** A picture in the documentation is no film. */
const PICTURE_MAX_BYTES = 400 * 1024;

describe(DOC, () => {
  it('shows a configuration that is accepted', async () => {
    const [text = ''] = await blocks(DOC, 'yaml');
    const { config, issues } = parseConfig(text, DOC);
    expect(withoutMetadata(issues)).toEqual([]);
    expect(config?.admin.readRole).toBe('viewer');
  });

  it('names scripts that package.json has', async () => {
    const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { scripts: object };
    const typed = (await blocks(DOC, 'sh')).flatMap(commands);
    expect(typed).toEqual(['npm start', 'npm run build:page']);
    for (const line of typed) expect(scripts).toHaveProperty([line.split(' ').at(-1)!]);
  });

  it('has its pictures', async () => {
    const text = await readFile(join(ROOT, DOC), 'utf8');
    const pictures = [...text.matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)].map((match) => match[1]!);
    expect(pictures).toHaveLength(2);
    for (const picture of pictures) {
      const file = join(ROOT, 'docs', picture);
      expect([picture, existsSync(file)]).toEqual([picture, true]);
      expect((await stat(file)).size).toBeLessThan(PICTURE_MAX_BYTES);
    }
  });
});
