/**
 * The command line: every command with its options, and which function answers it. Each command's module is
 * imported when it is called, so that `healthcheck` and `version` start without the proxy.
 * A usage error prints one line and is exit code 2; nothing here does a command's work.
 */
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { ExplainOptions } from './explain.ts';
import { Exit, type Io } from './io.ts';
import { toCount } from './option-values.ts';
import { addAudit } from './program-audit.ts';
import { addBreaker } from './program-breaker.ts';
import { addDiffs } from './program-diffs.ts';
import { addEndpoint } from './program-endpoint.ts';
import { addInject } from './program-inject.ts';
import { addLive } from './program-live.ts';
import { addOverride } from './program-override.ts';
import { addPower } from './program-power.ts';
import { addResults } from './program-results.ts';
import { addRollout } from './program-rollout.ts';
import { addSeeing } from './program-seeing.ts';
import { buildInfo } from './version.ts';

const DEFAULT_ADMIN_URL = 'http://127.0.0.1:15100';
const DEFAULT_PROBE_URL = 'http://127.0.0.1:15120/readyz';

/** Parses `argv` (without node and script), runs the command and answers its exit code. */
export async function runProgram(argv: readonly string[], io: Io): Promise<number> {
  let exitCode: number = Exit.ok;
  const program = buildProgram(io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? Exit.ok : Exit.usage;
    throw error;
  }
  return exitCode;
}

type Done = (exitCode: number) => void;

function buildProgram(io: Io, done: Done): Command {
  const program = new Command('fairlead')
    .description('A sidecar proxy that makes backend experiments safe.')
    .version(buildInfo().version, '-V, --version')
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) })
    .showHelpAfterError('(fairlead --help lists the commands)');
  addServing(program, io, done);
  addConfig(program, io, done);
  addSteering(program, io, done);
  addOverride(program, io, done);
  addSeeing(program, io, done, tokenOption);
  addPower(program, io, done);
  addResults(program, io, done, [reasonOption(), adminOption(), tokenOption()]);
  addBreaker(program, io, done, [reasonOption(), adminOption(), tokenOption()]);
  addRollout(program, io, done, [reasonOption(), adminOption(), tokenOption()]);
  addDiffs(program, io, done, [reasonOption(), adminOption(), tokenOption()]);
  addEndpoint(program, io, done, [reasonOption(), adminOption(), tokenOption()]);
  addInject(program, io, done, [reasonOption(), adminOption(), tokenOption()]);
  addLive(program, io, done, { admin: adminOption, token: tokenOption });
  addAudit(program, io, done, { admin: adminOption, token: tokenOption, reason: reasonOption });
  addTools(program, io, done);
  return program;
}

const configOption = (): Option =>
  new Option('-c, --config <file>', 'the configuration file').makeOptionMandatory();
const outputOption = (choices: readonly string[], initial: string): Option =>
  new Option('-o, --output <format>', 'how to print').choices(choices).default(initial);
const adminOption = (): Option =>
  new Option('--admin <url>', 'the admin API of the sidecar').default(DEFAULT_ADMIN_URL);
const tokenOption = (): Option =>
  new Option('--token <token>', 'bearer token of the admin API').env('FAIRLEAD_ADMIN__TOKEN');
const reasonOption = (): Option => new Option('--reason <text>', 'why, for the audit line').default('');
const collect = (value: string, previous: string[]): string[] => [...previous, value];

function addServing(program: Command, io: Io, done: Done): void {
  program
    .command('run')
    .description('run the sidecar')
    .addOption(configOption())
    .action(async (options: { config: string }) => {
      const { runCommand } = await import('./serve.ts');
      done(await runCommand(options, io));
    });
  program
    .command('demo')
    .description('run two versions of a small service with the sidecar in front')
    .option('--no-traffic', 'without the made-up users')
    .action(async (options: { traffic: boolean }) => {
      const { demoCommand } = await import('./demo.ts');
      done(await demoCommand(options, io));
    });
}

function addConfig(program: Command, io: Io, done: Done): void {
  program
    .command('validate')
    .description('check configuration files without running them')
    .argument('<files...>', 'configuration files')
    .addOption(outputOption(['text', 'json'], 'text'))
    .action(async (files: string[], options: { output: 'text' | 'json' }) => {
      const { validateCommand } = await import('./validate.ts');
      done(await validateCommand({ files, ...options }, io));
    });
  program
    .command('schema')
    .description('print the JSON Schema of the configuration file, or its reference as Markdown')
    .addOption(outputOption(['json', 'markdown'], 'json'))
    .action(async (options: { output: 'json' | 'markdown' }) => {
      const { schemaCommand } = await import('./schema.ts');
      done(schemaCommand(io, options));
    });
  program
    .command('explain')
    .description('which variant would this request get, and every step of why')
    .argument('[request...]', 'a path with its query or a whole URL, a method before it; - reads a request')
    .option('-c, --config <file>', 'the configuration file')
    .option('--admin <url>', 'or the admin API of a sidecar, with its breakers')
    .addOption(tokenOption())
    .option('-X, --method <method>', 'request method')
    .option('-H, --header <field>', '"name: value"; may be repeated', collect, [] as string[])
    .option('-b, --cookie <cookies>', '"name=value"; may be repeated', collect, [] as string[])
    .option('--outbound', 'match the outbound routes')
    .option('--client-identity <id>', 'of the client certificate it comes with')
    .option('--client-address <ip>', 'the address it comes from')
    .option('--listener <name>', 'where it comes in; the first of its direction unless given')
    .option('--show-unit', 'print the unit itself and not only its hash')
    .addOption(outputOption(['text', 'json'], 'text'))
    .action(async (words: string[], options: Omit<ExplainOptions, 'target'>) => {
      const [{ explainCommand }, { fromWords }] = await Promise.all([
        import('./explain.ts'),
        import('./explain-input.ts'),
      ]);
      done(await explainCommand({ ...fromWords(words), ...options }, io));
    });
}

type GetWhat = 'experiments' | 'layers' | 'breakers' | 'upstreams' | 'rollouts';

interface GetFlags {
  readonly output: 'table' | 'wide' | 'json' | 'yaml';
  readonly watch?: boolean;
  readonly admin: string;
  readonly token?: string;
}

interface CheckFlags {
  readonly admin: string[];
  readonly token?: string;
  readonly tolerate: number;
  readonly for?: number;
  readonly output: 'text' | 'json';
}

interface KillFlags extends ChangeFlags {
  readonly all?: boolean;
  readonly yes?: boolean;
}

interface LoadFlags {
  readonly connections: number;
  readonly duration: number;
  readonly header: string[];
  readonly unitHeader: string;
  readonly users: number;
  readonly experiment?: string;
  readonly variants: string;
  readonly output: 'table' | 'json';
}

interface ChangeFlags {
  readonly admin: string;
  readonly token?: string;
  readonly reason: string;
}

function addSteering(program: Command, io: Io, done: Done): void {
  program
    .command('get')
    .description('read experiments, layers, breakers, upstreams or rollouts from a running sidecar')
    .addArgument(
      new Argument('<what>', 'what to read').choices([
        'experiments',
        'layers',
        'breakers',
        'upstreams',
        'rollouts',
      ]),
    )
    .addOption(outputOption(['table', 'wide', 'json', 'yaml'], 'table'))
    .option('-w, --watch', 'print again every second')
    .addOption(adminOption())
    .addOption(tokenOption())
    .action(async (what: GetWhat, options: GetFlags) => {
      const { getCommand } = await import('./get.ts');
      done(await getCommand({ what, ...options }, io));
    });
  program
    .command('check')
    .description('name the calls that lose their experiments; exit 1 when there are any')
    .option('--admin <url>', 'the admin API of a sidecar; may be repeated', collect, [] as string[])
    .addOption(tokenOption())
    .option('--tolerate <percent>', 'share of the calls to a host that may lose them', toShare, 0)
    .option('--for <seconds>', 'look at the calls from now on, for this long', toCount)
    .addOption(outputOption(['text', 'json'], 'text'))
    .action(async ({ admin, token, tolerate, for: forSeconds = 0, output }: CheckFlags) => {
      const { checkCommand } = await import('./check.ts');
      const admins = admin.length === 0 ? [DEFAULT_ADMIN_URL] : admin;
      done(await checkCommand({ admin: admins, token, tolerated: tolerate, forSeconds, output }, io));
    });
  program
    .command('kill')
    .description('give everyone the fallback of an experiment, overrides included')
    .argument('[name]', 'the experiment')
    .option('--all', 'every experiment')
    .option('-y, --yes', 'do not ask')
    .addOption(reasonOption())
    .addOption(adminOption())
    .addOption(tokenOption())
    .action(async (name: string | undefined, options: KillFlags) => {
      const { killCommand } = await import('./kill.ts');
      done(await killCommand({ name: name ?? null, ...options }, io));
    });
  program
    .command('set')
    .description('change a running sidecar')
    .command('weight')
    .description('share of the units per variant: `25` for the one treatment, or `candidate=25% other=5%`')
    .argument('<name>', 'the experiment')
    .argument('<weights...>', 'percent, or VARIANT=PERCENT')
    .addOption(reasonOption())
    .addOption(adminOption())
    .addOption(tokenOption())
    .action(async (name: string, weights: string[], options: ChangeFlags) => {
      const { setWeightCommand } = await import('./set-weight.ts');
      done(await setWeightCommand({ name, weights, ...options }, io));
    });
  for (const verb of ['start', 'pause'] as const) {
    program
      .command(verb)
      .description(
        verb === 'start'
          ? 'run a paused or killed experiment again'
          : 'assign nobody new: everyone without a variant gets the fallback',
      )
      .argument('<name>', 'the experiment')
      .addOption(reasonOption())
      .addOption(adminOption())
      .addOption(tokenOption())
      .action(async (name: string, options: ChangeFlags) => {
        const { startPauseCommand } = await import('./start-pause.ts');
        done(await startPauseCommand({ verb, name, ...options }, io));
      });
  }
}

function addTools(program: Command, io: Io, done: Done): void {
  program
    .command('healthcheck')
    .description('exit 0 when the sidecar is ready, 1 when it is not')
    .option('--url <url>', 'what to ask', DEFAULT_PROBE_URL)
    .option('--timeout <ms>', 'how long to wait', toCount, 2000)
    .action(async (options: { url: string; timeout: number }) => {
      const { healthcheckCommand } = await import('./healthcheck.ts');
      done(await healthcheckCommand({ url: options.url, timeoutMs: options.timeout }, io));
    });
  program
    .command('load')
    .description('send load with a new user id per request and print a row per variant')
    .argument('<url>', 'where to send it')
    .option('-n, --connections <count>', 'connections kept open', toCount, 10)
    .option('-d, --duration <seconds>', 'how long', toCount, 10)
    .option(
      '-H, --header <field>',
      '"name: value" on every request; may be repeated',
      collect,
      [] as string[],
    )
    .option('--unit-header <name>', 'header that carries the user id', 'x-user-id')
    .option('--users <count>', 'different user ids', toCount, 10_000)
    .option('--experiment <name>', 'send each of --variants on purpose, by override')
    .option('--variants <names>', 'comma-separated; with --experiment', 'control,candidate')
    .addOption(outputOption(['table', 'json'], 'table'))
    .action(async (url: string, options: LoadFlags) => {
      const { loadCommand } = await import('./load.ts');
      done(await loadCommand({ url, ...options }, io));
    });
  program
    .command('version')
    .description('print the version of fairlead and of the Node it runs on')
    .addOption(outputOption(['text', 'json'], 'text'))
    .action(async (options: { output: 'text' | 'json' }) => {
      const { versionCommand } = await import('./version.ts');
      done(versionCommand(options, io));
    });
}

/** `5%` or `5` -> 0.05. */
function toShare(text: string): number {
  const percent = Number(text.replace(/%$/, ''));
  if (!(percent >= 0 && percent <= 100)) throw new InvalidArgumentError('It must be from 0% to 100%.');
  return percent / 100;
}
