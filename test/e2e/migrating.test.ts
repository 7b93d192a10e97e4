/** docs/migrating.md as somebody would try it: its configurations, its lists of users, its command. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Ajv } from 'ajv';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { compile } from '../../src/config/compile.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { EMPTY_RUNTIME } from '../../src/config/runtime.ts';
import { configJsonSchema } from '../../src/config/schema.ts';
import { assign } from '../../src/experiment/assign.ts';
import { withoutMetadata } from '../support/config.ts';
import { blocks, commands } from '../support/docs.ts';
import { givenOf, requestOf } from '../support/experiment.ts';

const ROOT = join(import.meta.dirname, '../..');
const DOC = 'docs/migrating.md';

const configs = await blocks(DOC, 'yaml');
const lists = await blocks(DOC, 'text');
const isValidJson = new Ajv({ strict: false }).compile(configJsonSchema());

it('shows a configuration for every algorithm, each with a list of users', () => {
  const names = configs.map((text) => /name: ([a-z0-9]+)/.exec(text)?.[1]);
  expect(new Set(names)).toEqual(
    new Set(['unleash', 'growthbook1', 'growthbook2', 'flagd2', 'launchdarkly', 'eppo']),
  );
  expect(lists).toHaveLength(configs.length);
});

it.each(configs.map((text, index) => ({ text, list: lists[index]! })))(
  'configuration %# is valid and keeps the users where they were',
  ({ text, list }) => {
    const { config, issues } = parseConfig(text, DOC);
    expect(withoutMetadata(issues)).toEqual([]);
    expect(isValidJson(parse(text))).toBe(true);
    const [experiment] = compile(config!, EMPTY_RUNTIME, 1).experiments.values();
    const users = list.trim().split('\n');
    expect(users).toHaveLength(8);
    const found = users.map((line) => {
      const [user = ''] = line.split(' ');
      const request = requestOf({ headers: { 'x-user-id': user } });
      const { reason, variant } = assign(experiment!, givenOf({ request }));
      return `${user} ${reason === 'not-enrolled' ? '-' : variant.name}`;
    });
    expect(found).toEqual(users);
  },
);

it('shows a command that prints the hash and the variant', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-migrating-'));
  try {
    await writeFile(join(folder, 'unleash.yaml'), configs[0]!);
    const lines = (await blocks(DOC, 'sh')).flatMap(commands);
    expect(lines).toHaveLength(1);
    const line = lines[0]!.replace(
      /^npx fairlead/,
      `'${process.execPath}' '${join(ROOT, 'bin/fairlead.js')}'`,
    );
    const { stdout } = await promisify(execFile)('sh', ['-c', line], { cwd: folder });
    expect(stdout).toContain("unleash: the variants' hash of group checkout is ");
    expect(stdout).toMatch(/-> short \(split:/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

it('names every algorithm of the schema', async () => {
  const text = await readFile(join(ROOT, DOC), 'utf8');
  const schema = await readFile(join(ROOT, 'config/reference.md'), 'utf8');
  const names = [
    'fairlead1',
    'unleash',
    'growthbook1',
    'growthbook2',
    'flagd1',
    'flagd2',
    'launchdarkly',
    'eppo',
  ];
  expect(schema).toContain(names.map((name) => `\`${name}\``).join(', '));
  for (const name of names) expect(text).toContain(`\`${name}\``);
});
