import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { listen } from '../../../src/admin/server.ts';
import { getCommand } from '../../../src/cli/get.ts';
import { healthcheckCommand } from '../../../src/cli/healthcheck.ts';
import { CliError, type Io } from '../../../src/cli/io.ts';
import { killCommand } from '../../../src/cli/kill.ts';
import { setWeightCommand } from '../../../src/cli/set-weight.ts';
import { startPauseCommand } from '../../../src/cli/start-pause.ts';
import { main } from '../../../src/main.ts';
import { type AdminBench, configWith, newAdminBench, TOKEN } from '../../support/admin.ts';

/** Nobody has this port, and nobody gets it by asking for a free one. */
const NOBODY = 'http://127.0.0.1:1';

let bench: AdminBench;
let admin: string;
beforeEach(async () => {
  bench = await newAdminBench();
  admin = `http://127.0.0.1:${await listen(bench.app, { kind: 'tcp', host: '127.0.0.1', port: 0 })}`;
});
afterEach(() => bench.close());

class TestIo implements Io {
  outText = '';
  errText = '';
  readonly env: Record<string, string>;
  readonly isTerminal: boolean;

  constructor(env: Record<string, string> = { FAIRLEAD_ADMIN__TOKEN: TOKEN }, isTerminal = false) {
    this.env = env;
    this.isTerminal = isTerminal;
  }

  out(text: string): void {
    this.outText += text;
  }

  err(text: string): void {
    this.errText += text;
  }
}

/** The exit code and message of a command that fails. */
async function failure(command: Promise<number>): Promise<{ exitCode: number; message: string }> {
  const error = await command.then(
    (code) => new Error(`it answered ${code}`),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof CliError)) throw error;
  return { exitCode: error.exitCode, message: error.message };
}

const rules = () => {
  const experiment = bench.control.snapshot.experiments.get('ranking');
  return { status: experiment?.status, weights: experiment?.variants.map(({ weightPpm }) => weightPpm) };
};

describe('get', () => {
  test('experiments is a table that awk can read', async () => {
    const io = new TestIo();
    expect(await getCommand({ what: 'experiments', output: 'table', admin }, io)).toBe(0);
    expect(io.outText).toBe(
      'NAME      STATUS    TRAFFIC   VARIANTS                             BREAKERS   ROUTES\n' +
        'ranking   running   100%      control=85%,candidate=10%,other=5%   closed     api\n',
    );
    expect(io.errText).toBe('');
  });

  test('shows what was changed at run time and which breaker is not closed', async () => {
    await startPauseCommand({ verb: 'pause', name: 'ranking', reason: '', admin }, new TestIo());
    bench.plane.breaker = { ...bench.plane.breaker, state: 'open', mode: 'observe' };
    const io = new TestIo();
    await getCommand({ what: 'experiments', output: 'wide', admin }, io);
    expect(io.outText).toContain('paused *');
    expect(io.outText).toContain('api/ranking/candidate open (observe)');
    expect(io.outText).toContain('search-team');
    expect(io.outText).toContain('* changed at run time');
  });

  test('breakers and upstreams have their columns, and a dash for what a sidecar does not send', async () => {
    const io = new TestIo();
    await getCommand({ what: 'breakers', output: 'table', admin }, io);
    await getCommand({ what: 'upstreams', output: 'table', admin }, io);
    expect(io.outText.split('\n').map((line) => line.split(/\s{2,}/))).toEqual([
      ['NAME', 'STATE', 'MODE', 'REQUESTS', 'ERRORS', 'SLOW', 'IN-FLIGHT', 'BUDGET', 'TRIPS', 'REASON'],
      ['api/ranking/candidate', 'closed', 'enforce', '-', '-', '-', '-', '-', '-', 'never opened'],
      ['UPSTREAM', 'ENDPOINT', 'STATE', 'ACTIVE', 'IDLE', 'REASON'],
      ['v1', '127.0.0.1:9001', '-', '3', '1', '-'],
      [''],
    ]);
  });

  test('JSON and YAML hold the same list', async () => {
    const json = new TestIo();
    const yaml = new TestIo();
    await getCommand({ what: 'experiments', output: 'json', admin }, json);
    await getCommand({ what: 'experiments', output: 'yaml', admin }, yaml);
    expect(JSON.parse(json.outText)).toMatchObject([
      { name: 'ranking', variants: [{ name: 'control' }, {}, {}] },
    ]);
    expect(parse(yaml.outText)).toEqual(JSON.parse(json.outText));
  });

  test('watching prints again until it is stopped, and redraws only on a terminal', async () => {
    for (const isTerminal of [false, true]) {
      const stop = new AbortController();
      const io = new TestIo({}, isTerminal);
      const out = io.out.bind(io);
      let times = 0;
      io.out = (text) => {
        out(text);
        if (++times === 3) stop.abort();
      };
      const options = { what: 'upstreams', output: 'table', watch: true, admin } as const;
      expect(await getCommand(options, io, { everyMs: 1, signal: stop.signal })).toBe(0);
      expect(io.outText.match(/UPSTREAM/g)).toHaveLength(3);
      expect(io.outText.includes('\u001b[H')).toBe(isTerminal);
    }
  });

  test('over the unix socket works the same', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fairlead-cli-'));
    const path = join(folder, 'admin.sock');
    const other = await newAdminBench();
    await listen(other.app, { kind: 'unix', path });
    const io = new TestIo();
    expect(await getCommand({ what: 'upstreams', output: 'json', admin: `unix:${path}` }, io)).toBe(0);
    expect(JSON.parse(io.outText)).toHaveLength(1);
    await other.close();
    rmSync(folder, { recursive: true });
  });
});

describe('kill', () => {
  test('with --yes gives everyone the fallback', async () => {
    const io = new TestIo();
    expect(await killCommand({ name: 'ranking', yes: true, reason: 'errors', admin }, io, null)).toBe(0);
    expect(rules().status).toBe('killed');
    expect(io.errText).toContain('killed ranking');
    expect(io.outText).toBe('');
  });

  test('without a terminal needs --yes', async () => {
    const { exitCode, message } = await failure(
      killCommand({ name: 'ranking', reason: '', admin }, new TestIo(), null),
    );
    expect(exitCode).toBe(2);
    expect(message).toContain('--yes');
    expect(rules().status).toBe('running');
  });

  test('on a terminal does what the person says', async () => {
    const questions: string[] = [];
    const say = (answer: boolean) => (question: string) => {
      questions.push(question);
      return Promise.resolve(answer);
    };
    expect(await killCommand({ name: 'ranking', reason: '', admin }, new TestIo(), say(false))).toBe(1);
    expect(rules().status).toBe('running');
    expect(await killCommand({ name: 'ranking', reason: '', admin }, new TestIo(), say(true))).toBe(0);
    expect(rules().status).toBe('killed');
    expect(questions[0]).toBe('Give everyone the fallback of ranking? [y/N] ');
  });

  test('--all kills what is not killed, and then there is nothing left', async () => {
    expect(
      await killCommand({ name: null, all: true, yes: true, reason: '', admin }, new TestIo(), null),
    ).toBe(0);
    expect(rules().status).toBe('killed');
    const io = new TestIo();
    expect(await killCommand({ name: null, all: true, yes: true, reason: '', admin }, io, null)).toBe(0);
    expect(io.errText).toContain('nothing to kill');
  });

  test('wants a name or --all, and not both', async () => {
    expect(
      (await failure(killCommand({ name: null, yes: true, reason: '', admin }, new TestIo(), null))).exitCode,
    ).toBe(2);
    expect(
      (
        await failure(
          killCommand({ name: 'ranking', all: true, yes: true, reason: '', admin }, new TestIo(), null),
        )
      ).exitCode,
    ).toBe(2);
  });
});

describe('set weight', () => {
  const set = (weights: readonly string[], io = new TestIo()) =>
    setWeightCommand({ name: 'ranking', weights, reason: 'looks good', admin }, io);

  test('VARIANT=PERCENT moves the rest to the fallback', async () => {
    const io = new TestIo();
    expect(await set(['candidate=25%', 'other=5'], io)).toBe(0);
    expect(rules().weights).toEqual([700_000, 250_000, 50_000]);
    expect(io.errText).toBe('ranking: control 70%, candidate 25%, other 5%\n');
  });

  test('one number is for the one treatment, and there must be only one', async () => {
    const { exitCode, message } = await failure(set(['25']));
    expect(exitCode).toBe(2);
    expect(message).toContain('candidate, other');
  });

  test.each([['candidate'], ['=25%'], ['candidate=many'], ['candidate=101%'], ['candidate=1.23456%']])(
    '%s is a usage error',
    async (weight) => {
      expect((await failure(set([weight]))).exitCode).toBe(2);
      expect(rules().weights).toEqual([850_000, 100_000, 50_000]);
    },
  );

  test('that does not add up is refused by the sidecar, with its hint', async () => {
    const { exitCode, message } = await failure(set(['candidate=99%']));
    expect(exitCode).toBe(2);
    expect(message).toContain('leave control out and it gets the rest');
  });
});

describe('the token', () => {
  const pause = (token: string | undefined, env: Record<string, string>) =>
    startPauseCommand({ verb: 'pause', name: 'ranking', reason: '', admin, token }, new TestIo(env));

  test('is the one given, else the environment, else a file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fairlead-token-'));
    const file = join(folder, 'token');
    writeFileSync(file, `${TOKEN}\n`);
    expect(await pause(TOKEN, { FAIRLEAD_ADMIN__TOKEN: 'wrong' })).toBe(0);
    expect(await pause(undefined, { FAIRLEAD_ADMIN__TOKEN: TOKEN })).toBe(0);
    expect(await pause(undefined, { FAIRLEAD_ADMIN__TOKEN_FILE: file })).toBe(0);
    expect(
      (await failure(pause(undefined, { FAIRLEAD_ADMIN__TOKEN_FILE: join(folder, 'none') }))).exitCode,
    ).toBe(78);
    rmSync(folder, { recursive: true });
  });

  test('is taken by commands that only read as well, where reading needs one', async () => {
    bench.writeConfig(configWith('service: checkout', 'service: shop'), 'readRole: viewer');
    await bench.control.reload('file');
    for (const argv of [['get', 'experiments'], ['check']]) {
      const [known, unknown] = [new TestIo({}), new TestIo({})];
      expect(await main([...argv, '--admin', admin, '--token', TOKEN], known)).toBe(0);
      expect(known.outText).not.toBe('');
      expect(await main([...argv, '--admin', admin], unknown)).toBe(7);
      expect(unknown.outText).toBe('');
      expect(await main([...argv, '--admin', admin], new TestIo())).toBe(0);
    }
  });

  test('that is missing or wrong is refused: 7, and it is never shown', async () => {
    for (const token of [undefined, 'wrong-secret']) {
      const { exitCode, message } = await failure(pause(token, {}));
      expect(exitCode).toBe(7);
      expect(message).toContain('FAIRLEAD_ADMIN__TOKEN');
      expect(message).not.toContain('wrong-secret');
    }
  });
});

describe('the exit code', () => {
  const getFrom = (address: string) =>
    failure(getCommand({ what: 'breakers', output: 'json', admin: address }, new TestIo()));

  test('is 5 when nobody listens', async () => {
    const { exitCode, message } = await getFrom(NOBODY);
    expect(exitCode).toBe(5);
    expect(message).toContain('ECONNREFUSED');
    expect((await getFrom('unix:/nowhere/admin.sock')).exitCode).toBe(5);
  });

  test('is 5 when somebody else listens', async () => {
    const server = createHttpServer((_request, response) => response.end('<html>')).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const { exitCode, message } = await getFrom(`http://127.0.0.1:${port}`);
    expect(exitCode).toBe(5);
    expect(message).toContain("not Fairlead's admin API");
    server.close();
  });

  test('is 1 for an experiment that is not there, with those that are', async () => {
    const { exitCode, message } = await failure(
      startPauseCommand({ verb: 'start', name: 'nope', reason: '', admin }, new TestIo()),
    );
    expect(exitCode).toBe(1);
    expect(message).toContain('there are ranking');
  });

  test.each(['127.0.0.1:15100', 'ftp://x', 'unix:relative', ''])(
    'is 2 for the address %j',
    async (address) => {
      expect((await getFrom(address)).exitCode).toBe(2);
    },
  );
});

test('a change is on record with who made it', async () => {
  await startPauseCommand({ verb: 'pause', name: 'ranking', reason: 'lunch', admin }, new TestIo());
  expect(bench.control.view().runtime.ranking).toMatchObject({
    status: { status: 'paused', reason: 'lunch', actor: expect.stringMatching(/^token:\S+/) },
  });
});

describe('healthcheck', () => {
  test('is 0 when ready and 1 when not', async () => {
    const port = await listen(bench.probes, { kind: 'tcp', host: '127.0.0.1', port: 0 });
    const url = `http://127.0.0.1:${port}/readyz`;
    expect(await healthcheckCommand({ url, timeoutMs: 30_000 }, new TestIo())).toBe(0);
    bench.plane.isStopping = true;
    const io = new TestIo();
    expect(await healthcheckCommand({ url, timeoutMs: 30_000 }, io)).toBe(1);
    expect(io.errText).toBe(`not ready: ${url} answered 503\n`);
  });

  test('is 4 when the answer does not come and 5 when nobody listens', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const { port } = silent.address() as { port: number };
    const sockets: { destroy(): void }[] = [];
    silent.on('connection', (socket) => sockets.push(socket));
    const url = `http://127.0.0.1:${port}/readyz`;
    expect(await healthcheckCommand({ url, timeoutMs: 30 }, new TestIo())).toBe(4);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
    expect(await healthcheckCommand({ url: NOBODY, timeoutMs: 30_000 }, new TestIo())).toBe(5);
  });

  test('of what is no URL is a usage error', async () => {
    expect(
      (await failure(healthcheckCommand({ url: '127.0.0.1:15120', timeoutMs: 10 }, new TestIo()))).exitCode,
    ).toBe(2);
  });
});
