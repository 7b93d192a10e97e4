/** `fairlead validate`, `schema` and `explain`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ExplainOptions, explainCommand } from '../../../src/cli/explain.ts';
import type { Explanation } from '../../../src/cli/explain-request.ts';
import { CliError, type Io } from '../../../src/cli/io.ts';
import { schemaCommand } from '../../../src/cli/schema.ts';
import { validateCommand } from '../../../src/cli/validate.ts';
import { minimal } from '../../support/config.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-cli-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** An Io that keeps what it is told. */
function recorder(env: Record<string, string> = {}): Io & { stdout: string; stderr: string } {
  return {
    stdout: '',
    stderr: '',
    env,
    isTerminal: false,
    out(text) {
      this.stdout += text;
    },
    err(text) {
      this.stderr += text;
    },
  };
}

function write(text: string, name = 'a.yaml'): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

describe('validate', () => {
  test('says what a valid file holds, and 0', async () => {
    const io = recorder();
    const file = write(minimal());
    expect(await validateCommand({ files: [file], output: 'text' }, io)).toBe(0);
    expect(io.stdout).toMatch(/a\.yaml: valid \(1 route, 0 experiments, hash [0-9a-f]{12}\)\n$/);
    expect(io.stderr).toBe('');
  });

  test('prints every mistake with its place to stderr, and 3', async () => {
    const io = recorder();
    const file = write(minimal('timeouts: { idel: 1s, connect: 5 }'));
    expect(await validateCommand({ files: [file], output: 'text' }, io)).toBe(3);
    expect(io.stderr).toBe(
      `${file}:3:13: timeouts.idel: unknown key; did you mean "idle"?\n` +
        `${file}:3:32: timeouts.connect: found the number 5; expected a duration such as 250ms or 10s\n`,
    );
    expect(io.stdout).toBe(`${file}: not valid (2 errors)\n`);
  });

  test('reads the files of segments, beside the file, and names their mistakes with their place; no key is opened', async () => {
    const segments = 'segments: { beta: { hashedFile: beta.txt, keyFile: /nowhere/key } }';
    const file = write(minimal(segments));
    const check = async () => {
      const io = recorder();
      return { code: await validateCommand({ files: [file], output: 'text' }, io), ...io };
    };
    expect(await check()).toMatchObject({
      code: 3,
      stderr: expect.stringContaining(
        `${file}:3:33: segments.beta.hashedFile: there is no file ${join(folder, 'beta.txt')}\n`,
      ),
    });
    write('not a hash\n', 'beta.txt');
    expect((await check()).stderr).toContain(`${file}:3:33: segments.beta.hashedFile: the file`);
    expect((await check()).stderr).toContain('line 1 holds something else');
    write(`${'ab'.repeat(32)}\n`, 'beta.txt');
    const { code, stdout } = await check();
    expect(code).toBe(0);
    write(`${'cd'.repeat(32)}\n`, 'beta.txt');
    const other = await check();
    expect(other.code).toBe(0);
    // The hash is that of what would run.
    expect(other.stdout).not.toBe(stdout);
  });

  test('checks all files, and one bad one decides', async () => {
    const io = recorder();
    const files = [write(minimal(), 'good.yaml'), write('version: 2\n', 'bad.yaml')];
    expect(await validateCommand({ files, output: 'text' }, io)).toBe(3);
    expect(io.stdout).toContain('good.yaml: valid');
    expect(io.stdout).toContain('bad.yaml: not valid');
  });

  test('answers 78 for a file that is not there', async () => {
    expect(await validateCommand({ files: [join(folder, 'no.yaml')], output: 'text' }, recorder())).toBe(78);
  });

  test('does not need the secrets that a file names', async () => {
    const file = write(minimal('admin: { tokenFile: /nowhere/token }'));
    expect(await validateCommand({ files: [file], output: 'text' }, recorder())).toBe(0);
  });

  test('counts the environment as run does', async () => {
    const io = recorder({ FAIRLEAD_TIMEOUTS__IDLE: 'soon' });
    expect(await validateCommand({ files: [write(minimal())], output: 'text' }, io)).toBe(3);
    expect(io.stderr).toContain('FAIRLEAD_TIMEOUTS__IDLE: timeouts.idle: "soon" is not a duration');
  });

  test('prints JSON for machines', async () => {
    const io = recorder();
    const file = write(minimal('wat: 1'));
    expect(await validateCommand({ files: [file], output: 'json' }, io)).toBe(3);
    expect(JSON.parse(io.stdout)).toMatchObject([
      { file, ok: false, hash: null, issues: [{ severity: 'error', line: 3, column: 1, path: 'wat' }] },
    ]);
    expect(io.stderr).toBe('');
  });
});

describe('schema', () => {
  test('prints a JSON Schema or the reference', () => {
    const json = recorder();
    expect(schemaCommand(json)).toBe(0);
    expect(JSON.parse(json.stdout)).toMatchObject({ type: 'object', required: ['version', 'upstreams'] });
    const markdown = recorder();
    schemaCommand(markdown, { output: 'markdown' });
    expect(markdown.stdout).toMatch(/^# Configuration reference\n/);
  });
});

describe('explain', () => {
  const config = [
    'version: 1',
    'upstreams: { v1: "127.0.0.1:9001", v2: "127.0.0.1:9002" }',
    'routes:',
    '  - { name: api, match: { path: /api/* }, upstream: v1, experiments: [ranking] }',
    '  - { name: shop, match: { host: shop.test }, upstream: v2 }',
    '  - { name: prices, direction: outbound, match: { host: prices }, upstream: v2 }',
    'propagation: { internalHosts: [prices] }',
    'experiments:',
    '  ranking:',
    '    salt: ranking-1',
    '    unit: [{ header: x-user-id }, { cookie: sid }]',
    '    targeting: [{ header: x-country, in: [DE, FR] }]',
    '    variants: { control: { weight: 50% }, candidate: { weight: 50%, upstream: v2 } }',
    '',
  ].join('\n');

  async function explain(
    options: Partial<ExplainOptions>,
    text = config,
  ): Promise<{ answer: Explanation; code: number; io: ReturnType<typeof recorder> }> {
    const io = recorder();
    const file = write(text);
    const code = await explainCommand(
      { config: file, target: '/api/x', method: 'GET', header: [], output: 'json', ...options },
      io,
    );
    return { answer: (io.stdout === '' ? null : JSON.parse(io.stdout)) as Explanation, code, io };
  }

  test('says route, unit and its source, slot, variant and upstream, and what is sent on', async () => {
    const { answer, code } = await explain({ header: ['X-User-Id: u-1', 'x-country: DE'] });
    expect(code).toBe(0);
    expect(answer.route).toEqual({ name: 'api', upstream: 'v1' });
    const [ranking] = answer.experiments;
    expect(ranking?.unit?.source).toBe('header x-user-id');
    expect(ranking?.slot).toBeGreaterThanOrEqual(0);
    const variant = (ranking?.slot ?? 0) < 500_000 ? 'candidate' : 'control';
    expect(ranking?.assigned).toBe(variant);
    expect(answer.upstream?.name).toBe(variant === 'candidate' ? 'v2' : 'v1');
    expect(answer.forwarded).toEqual({
      'x-experiment': `ranking=${variant}`,
      baggage: `fairlead.ranking=${variant}`,
    });
  });

  test('takes the identity of a client certificate for targeting and as the unit', async () => {
    const byClient = config
      .replace(/unit: .*/, 'unit: { clientIdentity: true }')
      .replace(/targeting: .*/, 'targeting: [{ clientIdentity: true, prefix: "spiffe://shop/" }]');
    const { answer } = await explain({ clientIdentity: 'spiffe://shop/web', showUnit: true }, byClient);
    expect(answer.experiments[0]?.unit).toMatchObject({
      source: 'client identity',
      value: 'spiffe://shop/web',
    });
    expect(answer.experiments[0]?.reason).toMatch(/^split:/);
    const without = await explain({}, byClient);
    expect(without.answer.experiments[0]?.reason).toBe('not-targeted');
  });

  test('names each clause of the targeting with its answer', async () => {
    const { answer } = await explain({ header: ['x-user-id: u-1', 'x-country: US'] });
    expect(answer.experiments[0]?.reason).toBe('not-targeted');
    expect(answer.experiments[0]?.steps.join('\n')).toMatch(
      /targeting: header x-country .*: no, so it gets control/,
    );
    expect(answer.forwarded).toEqual({});
  });

  test('hashes the unit unless it is asked for', async () => {
    const header = ['cookie: sid=secret-session', 'x-country: FR'];
    const hidden = await explain({ header });
    expect(hidden.io.stdout).not.toContain('secret-session');
    expect(hidden.answer.experiments[0]?.unit?.source).toBe('cookie sid');
    expect(hidden.answer.experiments[0]?.unit?.hash).toMatch(/^[0-9a-f]{16}$/);
    const text = recorder();
    await explainCommand(
      { config: write(config), target: '/api/x', method: 'GET', header, output: 'text' },
      text,
    );
    expect(text.stdout).toContain('unit from cookie sid: hash ');
    expect(text.stdout).not.toContain('secret-session');
    expect((await explain({ header, showUnit: true })).answer.experiments[0]?.unit?.value).toBe(
      'secret-session',
    );
  });

  test('an override beats what is carried, and what is carried beats the split', async () => {
    const carried = ['x-experiment: other=b, ranking=candidate'];
    const { answer } = await explain({ header: carried });
    expect(answer.experiments[0]).toMatchObject({ assigned: 'candidate', reason: 'propagated' });
    expect(answer.carried).toEqual([
      { experiment: 'other', variant: 'b', isKnown: false },
      { experiment: 'ranking', variant: 'candidate', isKnown: true },
    ]);
    expect(answer.forwarded['x-experiment']).toBe('other=b, ranking=candidate');
    const overridden = await explain({ header: [...carried, 'x-experiment-override: ranking=control'] });
    expect(overridden.answer.experiments[0]).toMatchObject({ assigned: 'control', reason: 'override' });
  });

  test('takes a URL, a query and another direction', async () => {
    expect((await explain({ target: 'http://shop.test:8080/basket?x=1' })).answer).toMatchObject({
      request: { host: 'shop.test:8080', path: '/basket' },
      route: { name: 'shop' },
      notes: ['no experiment is on this route'],
    });
    expect((await explain({ target: 'http://prices', outbound: true })).answer).toMatchObject({
      request: { path: '/', direction: 'outbound' },
      route: { name: 'prices' },
    });
  });

  test('no route is a negative answer', async () => {
    const { answer, code } = await explain({ target: '/elsewhere' });
    expect(code).toBe(1);
    expect(answer).toMatchObject({
      route: null,
      upstream: null,
      notes: ['no route matches, so the answer is 404 route_not_found'],
    });
  });

  test('a config that is not valid is 3, a header or target that is none is a usage error', async () => {
    const { code, io } = await explain({}, 'version: 2\n');
    expect(code).toBe(3);
    expect(io.stderr).toContain('a.yaml:1:10: version: found the number 2; expected 1');
    await expect(explain({ header: ['no colon'] })).rejects.toThrow(CliError);
    await expect(explain({ target: 'api/x' })).rejects.toThrow(
      /neither a path that begins with \/ nor a URL/,
    );
  });

  test('lays the run-time state over the file, and leaves a broken one where it is', async () => {
    const state = join(folder, 'state.json');
    const experiment = {
      salt: 'ranking-1',
      status: { status: 'killed', reason: 'r', actor: 'anna', at: 't' },
      weights: null,
      slots: [],
    };
    writeFileSync(
      state,
      JSON.stringify({ format: 'fairlead-state', version: 1, experiments: { ranking: experiment } }),
    );
    const text = `${config}stateFile: ${state}\nrequireMetadata: false\n`;
    const killed = await explain({ header: ['x-user-id: u', 'x-country: DE'] }, text);
    expect(killed.answer.experiments[0]?.reason).toBe('killed');
    expect(killed.io.stderr).toBe('ranking was changed at run time by anna at t: r\n');
    writeFileSync(state, 'broken');
    const broken = await explain({}, text);
    expect(broken.io.stderr).toContain('is not a Fairlead state of version 1; going on without it');
    expect(broken.code).toBe(0);
  });

  test('reads well in a terminal', async () => {
    const io = recorder();
    const options = {
      config: write(config),
      target: '/api/x',
      method: 'GET',
      header: ['x-country: US'],
      output: 'text',
    } as const;
    expect(await explainCommand(options, io)).toBe(0);
    expect(io.stdout).toBe(
      [
        'request     GET /api/x (inbound)',
        'route       api, upstream v1',
        '',
        'experiment  ranking',
        '    override: none',
        '    propagated: the caller carries nothing',
        '    targeting: header x-country in [DE, FR]: no, so it gets control',
        '    -> control (not-targeted), upstream v1; breaker: not asked',
        '',
        'goes to     v1 (127.0.0.1:9001)',
        '',
      ].join('\n'),
    );
  });
});
