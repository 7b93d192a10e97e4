/** docs/targeting.md as somebody would try it: every rule that it shows, every command, and what it says of them. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { main } from '../../src/main.ts';
import { commands } from '../support/docs.ts';
import { signerOf } from '../support/tokens.ts';
import { hasTools } from '../support/tools.ts';

const ROOT = join(import.meta.dirname, '../..');
const SHIM = join(ROOT, 'bin/fairlead.js');
const PAGE = readFileSync(join(ROOT, 'docs/targeting.md'), 'utf8');

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-targeting-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Section {
  readonly title: string;
  readonly yaml: readonly string[];
  readonly sh: readonly string[];
  readonly text: readonly string[];
}

const SECTIONS: readonly Section[] = PAGE.split(/^##+ /m).map((section) => {
  const of = (language: string) =>
    [...section.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))].map((match) => match[1]!);
  return { title: section.split('\n')[0]!, yaml: of('yaml'), sh: of('sh'), text: of('text') };
});

const section = (title: string): Section => SECTIONS.find((one) => one.title === title)!;

/** A whole configuration around rules, with a path parameter, and keys for tokens. */
function around(targeting: string): string {
  return `
version: 1
requireMetadata: false
upstreams: { v1: "127.0.0.1:9001" }
identity: { jwt: { keys: [{ id: k, algorithm: HS256, secretFile: ${join(folder, 'secret')} }] } }
routes:
  - { name: users, match: { path: "/users/{id}/*" }, upstream: v1, experiments: [checkout] }
  - { name: rest, upstream: v1, experiments: [checkout] }
experiments:
  checkout:
    variants: { control: {}, candidate: { weight: 10% } }
${targeting.replaceAll(/^(?=.)/gm, '    ')}`;
}

/** Runs a command line of the page, split by a shell, in this process; what it prints. */
async function run(line: string, variables: Record<string, string> = {}): Promise<string> {
  const words = line.replace(/^npx fairlead/, String.raw`printf '%s\0'`);
  const argv = execFileSync('sh', ['-c', words], { encoding: 'utf8', env: { ...process.env, ...variables } })
    .split('\0')
    .slice(0, -1);
  let [out, err] = ['', ''];
  const io = {
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
    env: {},
    isTerminal: false,
  };
  const code = await main(
    argv.map((word) => (word.endsWith('.yaml') ? join(folder, word) : word)),
    io,
  );
  expect([code, err]).toEqual([0, '']);
  return out;
}

const asked = SECTIONS.filter(({ yaml }) => yaml.some((text) => text.startsWith('targeting:')));

describe('docs/targeting.md', () => {
  it('has an example for each kind of rule', () => {
    expect(asked.map(({ title }) => title)).toEqual([
      'What a rule is',
      'What a rule can look at',
      'Claims',
      'Text',
      'Presence',
      'Numbers',
      'Dates',
      'Versions',
      'Networks',
    ]);
  });

  it.each(asked.map((one) => [one.title, one] as const))(
    '%s: the rules answer as it says',
    async (_title, one) => {
      expect(one.yaml).toHaveLength(1);
      const config = around(one.yaml[0]!);
      expect(parseConfig(config, 'docs/targeting.md').issues).toEqual([]);
      writeFileSync(join(folder, 'fairlead.yaml'), config);
      const [shop, other] = [signerOf('HS256', 'k'), signerOf('HS256', 'k')];
      writeFileSync(join(folder, 'secret'), shop.text);
      const claims = { plan: 'gold', age: 30, exp: Date.now() / 1000 + 60 };
      const tokens = { TOKEN: await shop.sign(claims), FORGED: await other.sign(claims) };
      const lines = one.sh.flatMap((block) => block.trim().split('\n'));
      expect(lines.length).toBeGreaterThan(2);
      for (const line of lines) {
        const [, command, said] = /^(npx fairlead .*?) +# (targeted|not targeted)$/.exec(line)!;
        const printed = await run(command!, tokens);
        expect(printed).toContain('experiment  checkout');
        expect([command, printed.includes('(not-targeted)') ? 'not targeted' : 'targeted']).toEqual([
          command,
          said,
        ]);
      }
    },
  );

  it('shows an example whose every rule is explained', async () => {
    const { yaml, sh, text } = section('An example to type');
    expect(parseConfig(yaml[0]!, 'docs/targeting.md').issues).toEqual([]);
    writeFileSync(join(folder, 'shop.yaml'), yaml[0]!);
    const line = commands(sh[0]!)[0]!.replace(/^npx fairlead/, `'${process.execPath}' '${SHIM}'`);
    const { stdout } = await promisify(execFile)('sh', ['-c', line], { cwd: folder });
    const steps = stdout.split('\n').flatMap((step) => (step.includes('targeting:') ? [step.slice(4)] : []));
    expect(steps).toEqual(text[0]!.trim().split('\n'));
  });

  it.skipIf(!hasTools('perl', 'sort'))(
    'shows how a file of hashed ids is made, with a key and without',
    async () => {
      const { yaml, sh } = section('A file of hashed ids');
      const [make, makeKeyed] = sh.flatMap(commands);
      expect(parseConfig(yaml[0]!, 'docs/targeting.md').issues).toEqual([]);
      writeFileSync(join(folder, 'ids.txt'), 'ann\njürgen\n');
      const isIn = async (id: string): Promise<boolean> =>
        (await run(`npx fairlead explain -c fairlead.yaml -H 'x-user-id: ${id}' /`)).includes(
          'segment beta: yes',
        );

      writeFileSync(join(folder, 'fairlead.yaml'), yaml[0]!);
      execFileSync('sh', ['-c', make!], { cwd: folder });
      expect([await isIn('ann'), await isIn('jürgen'), await isIn('eve')]).toEqual([true, true, false]);

      const before = readFileSync(join(folder, 'beta.txt'), 'utf8');
      execFileSync('sh', ['-c', makeKeyed!], { cwd: folder });
      expect(readFileSync(join(folder, 'beta.txt'), 'utf8')).not.toBe(before);
      expect(await isIn('ann')).toBe(false);
      const keyed = 'beta: { hashedFile: beta.txt, keyFile: beta.key }';
      expect(PAGE).toContain(keyed);
      writeFileSync(join(folder, 'beta.key'), 'pepper\n');
      for (const segment of [keyed, 'beta: { hashedFile: beta.txt, key: pepper }']) {
        writeFileSync(
          join(folder, 'fairlead.yaml'),
          yaml[0]!.replace('beta: { hashedFile: beta.txt }', segment),
        );
        expect([await isIn('ann'), await isIn('jürgen'), await isIn('eve')]).toEqual([true, true, false]);
      }
    },
  );
});
