/** The command line as scripts depend on it: exit codes, and what goes to stdout and to stderr. */
import { expect, test } from 'vitest';
import type { Io } from '../../../src/cli/io.ts';
import { main } from '../../../src/main.ts';

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const io: Io = {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    env: {},
    isTerminal: false,
  };
  const code = await main(argv, io);
  return { code, out, err };
}

test.each([
  ['an unknown command', ['frobnicate'], "unknown command 'frobnicate'"],
  ['an unknown option', ['version', '--loud'], "unknown option '--loud'"],
  ['a missing config', ['run'], "required option '-c, --config <file>' not specified"],
  ['a missing argument', ['validate'], "missing required argument 'files'"],
  [
    'a choice that is not there',
    ['get', 'cookies'],
    'Allowed choices are experiments, layers, breakers, upstreams',
  ],
  ['a count that is none', ['load', 'http://127.0.0.1:1', '-d', '0'], 'It must be a whole number above 0'],
  ['no command', [], 'Usage: fairlead'],
  ['half a command', ['set'], 'Usage: fairlead set'],
])('%s is exit code 2, with the reason on stderr and nothing on stdout', async (_name, argv, message) => {
  const { code, out, err } = await run(...argv);
  expect(code).toBe(2);
  expect(err).toContain(message);
  expect(out).toBe('');
});

test('help is exit code 0 and lists every command on stdout', async () => {
  const { code, out, err } = await run('--help');
  expect(code).toBe(0);
  expect(err).toBe('');
  const commands = ['run', 'demo', 'validate', 'schema', 'explain', 'get', 'kill', 'set', 'start', 'pause'];
  for (const command of [...commands, 'override', 'healthcheck', 'load', 'version']) {
    expect(out).toMatch(new RegExp(`^  ${command} `, 'm'));
  }
});

/** Every command with the words that lead to it, and its help. */
async function allHelp(words: readonly string[] = []): Promise<{ words: readonly string[]; help: string }[]> {
  const { out: help } = await run(...words, '--help');
  const [, listed = ''] = help.split('\nCommands:\n');
  const names = [...listed.matchAll(/^ {2}([a-z-]+)/gm)].map(([, name]) => name!);
  const inner = await Promise.all(
    names.filter((name) => name !== 'help').map((name) => allHelp([...words, name])),
  );
  return [{ words, help }, ...inner.flat()];
}

test('whatever asks a sidecar takes its address and a token', async () => {
  const asking = (await allHelp()).filter(({ help }) => help.includes('--admin <url>'));
  const names = asking.map(({ words }) => words.join(' '));
  expect(names).toEqual(
    expect.arrayContaining(['get', 'check', 'explain', 'set weight', 'audit show', 'plan']),
  );
  const without = asking.filter(({ help }) => !help.includes('--token <token>'));
  expect(without.map(({ words }) => words.join(' '))).toEqual([]);
});

test('version names the version of the package and of Node, also as JSON', async () => {
  expect((await run('version')).out).toMatch(/^fairlead \d+\.\d+\.\d+ \(node 24\.\d+\.\d+, \S+\)\n$/);
  expect(JSON.parse((await run('version', '-o', 'json')).out)).toEqual({
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
  });
});

test('a config file that is not there is named, and its exit code is not 0', async () => {
  const { code, out, err } = await run('explain', '-c', '/nowhere/fairlead.yaml', '/');
  expect([3, 78]).toContain(code);
  expect(err).toContain('/nowhere/fairlead.yaml');
  expect(out).toBe('');
});

test('load says which header it cannot read', async () => {
  const { code, err } = await run('load', 'http://127.0.0.1:1', '-H', 'no colon');
  expect(code).toBe(2);
  expect(err).toBe('fairlead: --header takes "name: value", got "no colon"\n');
});
