/**
 * Keeps the rules of src/README.md, and proves of each rule that it can fail.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ERRORS } from '../src/base/error.ts';
import { ALLOWED_IMPORTS, checkArchitecture, checkErrorDocs, type FileSet } from './support/architecture.ts';

const ROOT = join(import.meta.dirname, '..');

function readTree(folders: readonly string[]): FileSet {
  const files = new Map<string, string>();
  for (const folder of folders) {
    for (const entry of readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !/\.tsx?$/.test(entry.name)) continue;
      const path = join(entry.parentPath, entry.name);
      files.set(relative(ROOT, path).split(sep).join('/'), readFileSync(path, 'utf8'));
    }
  }
  return files;
}

/** What the checker says of `src/base/x.ts` and the like, as `rule file: message`. */
function verdicts(files: Record<string, string>): string[] {
  return checkArchitecture(new Map(Object.entries(files))).map(
    (one) => `${one.rule} ${one.file}: ${one.message}`,
  );
}

describe('the project', () => {
  const files = readTree(['src', 'test', 'bench', 'scripts', 'page']);

  test('has the files that the rules are about', () => {
    expect(files.size).toBeGreaterThan(30);
    expect(files.has('src/base/clock.ts')).toBe(true);
    expect(files.has('src/main.ts')).toBe(true);
  });

  test('keeps every rule', () => {
    expect(checkArchitecture(files)).toEqual([]);
  });

  test('documents every error code in docs/errors.md, and no other', () => {
    expect(checkErrorDocs(ERRORS, readFileSync(join(ROOT, 'docs/errors.md'), 'utf8'))).toEqual([]);
  });
});

describe('import ranks', () => {
  test.each([
    ['base', 'http1'],
    ['http1', 'experiment'],
    ['experiment', 'propagation'],
    ['propagation', 'experiment'],
    ['resilience', 'experiment'],
    ['analysis', 'resilience'],
    ['routing', 'propagation'],
    ['routing', 'config'],
    ['config', 'http1'],
    ['config', 'telemetry'],
    ['telemetry', 'config'],
    ['proxy', 'control'],
    ['proxy', 'admin'],
    ['control', 'proxy'],
    ['control', 'routing'],
    ['workers', 'proxy'],
    ['workers', 'control'],
    ['admin', 'proxy'],
    ['admin', 'resilience'],
    ['fleet', 'admin'],
    ['dashboard', 'base'],
  ])('%s may not import %s', (from, to) => {
    expect(
      verdicts({ [`src/${from}/a.ts`]: `import { b } from '../${to}/b.ts';\nexport const a = b;\n` }),
    ).toEqual([`imports src/${from}/a.ts: ${from} may not import ${to} (../${to}/b.ts)`]);
  });

  test('a type-only import counts as an import', () => {
    const planted = `import type { B } from '../proxy/b.ts';\nexport type A = B;\n`;
    expect(verdicts({ 'src/control/a.ts': planted })).toEqual([
      'imports src/control/a.ts: control may not import proxy (../proxy/b.ts)',
    ]);
  });

  test('a re-export, a dynamic import and a type import in place count as well', () => {
    const found = verdicts({
      'src/admin/a.ts': `export { b } from '../proxy/b.ts';\n`,
      'src/admin/c.ts': `export const c = () => import('../proxy/b.ts');\n`,
      'src/admin/d.ts': `export type D = import('../proxy/b.ts').B;\n`,
    });
    expect(found).toHaveLength(3);
  });

  test('a folder without a rank may not exist', () => {
    expect(verdicts({ 'src/utils/a.ts': 'export const a = 1;\n' })).toEqual([
      'imports src/utils/a.ts: src/utils has no place in the ranks',
    ]);
  });

  test('src imports nothing from outside src but package.json in cli', () => {
    expect(
      verdicts({ 'src/cli/a.ts': `import json from '../../package.json' with { type: 'json' };\njson;\n` }),
    ).toEqual([]);
    expect(verdicts({ 'src/cli/a.ts': `import { b } from '../../test/b.ts';\nb;\n` })).toEqual([
      'imports src/cli/a.ts: imports test/b.ts, which is outside src/',
    ]);
  });

  test('an import without its extension is refused', () => {
    expect(verdicts({ 'src/base/a.ts': `import { b } from './b';\nb;\n` })).toEqual([
      'imports src/base/a.ts: ./b needs its extension',
    ]);
  });

  test('what the ranks allow passes', () => {
    for (const [from, targets] of Object.entries(ALLOWED_IMPORTS)) {
      const file = from === 'main.ts' ? 'src/main.ts' : `src/${from}/a.ts`;
      const prefix = from === 'main.ts' ? './' : '../';
      const text = targets
        .map((to, index) => `import * as b${index} from '${prefix}${to}/b.ts';\nb${index};\n`)
        .join('');
      expect(verdicts({ [file]: text })).toEqual([]);
    }
  });
});

describe('pure folders', () => {
  test.each([
    [
      'experiment',
      `import { readFileSync } from 'node:fs';\nreadFileSync('x');\n`,
      'imports readFileSync from node:fs',
    ],
    [
      'config',
      `import { randomBytes } from 'node:crypto';\nrandomBytes(1);\n`,
      'imports randomBytes from node:crypto',
    ],
    [
      'http1',
      `import { createHash } from 'node:crypto';\ncreateHash('md5');\n`,
      'imports createHash from node:crypto',
    ],
    [
      'propagation',
      `import { generateKeySync } from 'node:crypto';\ngenerateKeySync('hmac', { length: 256 });\n`,
      'imports generateKeySync from node:crypto',
    ],
    ['http1', `import net from 'node:net';\nnet.connect(1);\n`, 'imports * from node:net'],
    ['routing', `import { connect } from 'node:net';\nconnect(1);\n`, 'imports connect from node:net'],
    ['resilience', `import pino from 'pino';\npino();\n`, 'imports * from pino'],
    ['resilience', 'export const a = Date.now();\n', 'uses Date.now'],
    ['analysis', 'export const a = new Date();\n', 'uses new Date()'],
    ['experiment', 'export const a = Math.random();\n', 'uses Math.random'],
    ['base', 'export const a = performance.now();\n', 'uses performance'],
    ['resilience', 'export const a = () => setTimeout(() => {}, 1);\n', 'uses setTimeout'],
    ['routing', 'export const a = process.env;\n', 'uses process'],
    ['propagation', 'console.log(1);\n', 'uses console'],
    ['config', `export const a = () => import('zod');\n`, 'uses a dynamic import'],
    ['config', 'export const a = import.meta.url;\n', 'uses import.meta'],
  ])('%s with %j is refused', (folder, text, what) => {
    const found = verdicts({ [`src/${folder}/a.ts`]: text });
    expect(found).toContain(`purity src/${folder}/a.ts: ${folder} is pure, and this ${what}`);
  });

  test('types of node, BlockList, createHash in config, signing in propagation and a given date are allowed', () => {
    const found = verdicts({
      'src/http1/a.ts': `import type { Socket } from 'node:net';\nexport type A = Socket;\n`,
      'src/routing/a.ts': `import { BlockList } from 'node:net';\nexport const a = new BlockList();\n`,
      'src/config/a.ts': `import { createHash } from 'node:crypto';\nexport const a = createHash('sha256');\n`,
      'src/propagation/a.ts': `import { sign } from 'node:crypto';\nexport const a = sign;\n`,
      'src/analysis/a.ts': 'export const a = (ms: number) => new Date(ms);\n',
      'src/resilience/a.ts': 'export const a = (b: { process: number }) => b.process;\n',
    });
    expect(found).toEqual([]);
  });

  test('the same in a folder that is not pure is allowed', () => {
    expect(
      verdicts({ 'src/proxy/a.ts': `import { connect } from 'node:net';\nconnect(Date.now());\n` }),
    ).toEqual([]);
  });

  test('only base/clock.ts of the pure folders reads the clock', () => {
    expect(verdicts({ 'src/base/clock.ts': 'export const now = () => Date.now();\n' })).toEqual([]);
    expect(verdicts({ 'src/base/clock2.ts': 'export const now = () => Date.now();\n' })).toHaveLength(1);
  });
});

describe('cycles', () => {
  test('two files that import each other are refused', () => {
    const found = verdicts({
      'src/base/a.ts': `import { b } from './b.ts';\nexport const a = b;\n`,
      'src/base/b.ts': `import { a } from './a.ts';\nexport const b = a;\n`,
    });
    expect(found).toEqual(['cycle src/base/a.ts: src/base/a.ts -> src/base/b.ts -> src/base/a.ts']);
  });

  test('a cycle over three files, one of them by a re-export, is refused', () => {
    const found = verdicts({
      'src/proxy/a.ts': `export { b as a } from './b.ts';\n`,
      'src/proxy/b.ts': `import { c } from './c.ts';\nexport const b = c;\n`,
      'src/proxy/c.ts': `import { type A, a } from './a.ts';\nexport const c: A = a;\n`,
    });
    expect(found).toEqual([
      'cycle src/proxy/a.ts: src/proxy/a.ts -> src/proxy/b.ts -> src/proxy/c.ts -> src/proxy/a.ts',
    ]);
  });

  test('objects of one folder may know each other by type', () => {
    const found = verdicts({
      'src/proxy/a.ts': `import { B } from './b.ts';\nexport class A { b = new B(this); }\n`,
      'src/proxy/b.ts': `import type { A } from './a.ts';\nexport class B { a: A | null = null; }\n`,
    });
    expect(found).toEqual([]);
  });
});

describe('size', () => {
  const lines = (count: number): string => 'export {};\n'.repeat(count);

  test('a file of 401 lines is refused and one of 400 is not', () => {
    expect(verdicts({ 'src/base/a.ts': lines(401) })).toEqual([
      'size src/base/a.ts: 401 lines, the limit is 400',
    ]);
    expect(verdicts({ 'src/base/a.ts': lines(400) })).toEqual([]);
  });

  test('it holds for tests and scripts too', () => {
    expect(verdicts({ 'test/unit/a.test.ts': lines(401), 'scripts/b.ts': lines(500) })).toHaveLength(2);
  });
});

describe('the owners of framing', () => {
  test.each([
    ['src/http1/head.ts', `export const a = 'content-length';\n`],
    ['src/proxy/a.ts', `export const a = (n: number) => 'Content-Length: ' + n;\n`],
    ['src/proxy/b.ts', 'export const a = /^transfer-encoding$/i;\n'],
    [
      'src/proxy/c.ts',
      `export const a = (f: { first(i: number): number }, Field: { contentLength: number }) => f.first(Field.contentLength);\n`,
    ],
    [
      'src/routing/forward.ts',
      `export const a = (f: { first(i: number): number }, Field: { contentLength: number }) => f.first(Field.contentLength);\n`,
    ],
    [
      'src/proxy/d.ts',
      `export function a(id: number, Field: { contentLength: number }) { switch (id) { case Field.contentLength: return 1; } }\n`,
    ],
    [
      'src/http1/encode.ts',
      'export const a = (Field: { transferEncoding: number }) => Field.transferEncoding;\n',
    ],
    ['src/http1/framing.ts', `export const a = 'Transfer-Encoding: chunked';\n`],
  ])('%s may not have %j', (file, text) => {
    expect(verdicts({ [file]: text }).map((one) => one.split(':')[0])).toEqual([`framing ${file}`]);
  });

  test('each owner may do its own part, and a comment may name the fields anywhere', () => {
    const found = verdicts({
      'src/http1/field.ts': `export const Field = { contentLength: 2 };\nexport const names = ['content-length'];\n`,
      'src/http1/framing.ts': `export const a = (Field: { contentLength: number }) => Field.contentLength;\n`,
      'src/http1/encode.ts': `export const a = (n: number) => 'content-length: ' + n;\n`,
      'src/routing/forward.ts': `export function a(id: number, Field: { contentLength: number }) { switch (id) { case Field.contentLength: return true; } }\n`,
      'src/proxy/a.ts': '// Content-Length is not our business.\nexport const a = 1;\n',
    });
    expect(found).toEqual([]);
  });
});

describe('the error table', () => {
  const table = { frobbed: { status: 502, side: 'upstream', retry: 'safe' } };
  const text = 'What it means and what to do about it, in a sentence or two.';

  test('a code that is not documented, or with the wrong facts, or in few words, is refused', () => {
    expect(checkErrorDocs(table, '# Errors\n')).toHaveLength(1);
    expect(checkErrorDocs(table, `### frobbed\n500 · upstream · retry safe\n\n${text}\n`)).toHaveLength(1);
    expect(checkErrorDocs(table, '### frobbed\n502 · upstream · retry safe\n\nBad.\n')).toHaveLength(1);
  });

  test('a documented code that does not exist, or is there twice, is refused', () => {
    const good = `### frobbed\n502 · upstream · retry safe\n\n${text}\n`;
    expect(checkErrorDocs(table, good)).toEqual([]);
    expect(checkErrorDocs(table, `${good}\n${good}`)).toHaveLength(1);
    expect(checkErrorDocs(table, `${good}\n${good.replace('frobbed', 'gone')}`)).toHaveLength(1);
  });
});
