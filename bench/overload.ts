/**
 * Does what is served stay quick, and what is refused get told so at once, under more load than can be borne? Two
 * kinds of it: an upstream that can do 1,000 requests a second and gets 2,000, without a limit and with each kind; and a
 * sidecar with a tenth of a core and half as many requests again as it can carry, with and without shedding: to refuse one costs
 * it more than half of what it costs to serve one, so at twice as many refusing alone would keep it busy.
 * Run on a quiet machine: npm exec -c 'node bench/overload.ts'; with --busy only the second
 */
import { openLoopByClass, quantile } from './support/open-loop-classes.ts';
import { pinSelf, type Started, start } from './support/processes.ts';
import { LOAD_CORES, nextPort, PROXY_CORES, ROOT, writeScratch } from './support/rig.ts';

const KNEE = 'bench/support/knee.ts';
const SECONDS = 8;
const WARM = 4;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function ms(value: number): string {
  return Number.isNaN(value) ? '' : value.toFixed(1);
}

async function service(port: number, places: number, serviceMs: number): Promise<Started> {
  const command = [process.execPath, `${ROOT}/${KNEE}`, String(port), String(places), String(serviceMs)];
  return start(command, { cores: LOAD_CORES, port });
}

async function sidecar(
  name: string,
  config: object,
  port: number,
  before: readonly string[] = [],
): Promise<Started> {
  const file = writeScratch(`${name}.yaml`, JSON.stringify(config));
  const command = [...before, process.execPath, `${ROOT}/src/main.ts`, 'run', '-c', file];
  return start(command, { cores: PROXY_CORES, port, env: { FAIRLEAD_ACCESS_LOG__ENABLED: 'false' } });
}

function configOf(port: number, upstream: object, more: object = {}): object {
  return {
    version: 1,
    requireMetadata: false,
    listeners: [{ name: 'inbound', address: `127.0.0.1:${port}` }],
    admin: { address: 'off', probeAddress: 'off' },
    upstreams: { app: upstream },
    ...more,
  };
}

/** Rows of a table: who got what, how many a second, how soon. */
async function shoot(
  what: string,
  port: number,
  rate: number,
  connections: number,
  paths: Record<string, number>,
) {
  const { classes, unanswered } = await openLoopByClass({
    port,
    rate,
    seconds: SECONDS,
    warm: WARM,
    connections,
    paths,
  });
  for (const [key, times] of [...classes].sort()) {
    const [p50, p99] = [quantile(times, 0.5), quantile(times, 0.99)];
    say(`| ${what} | ${rate} | ${key} | ${Math.round(times.length / SECONDS)} | ${ms(p50)} | ${ms(p99)} |`);
  }
  if (unanswered > 0)
    say(`| ${what} | ${rate} | no answer within 2 s of the end | ${Math.round(unanswered / SECONDS)} | | |`);
}

async function slowUpstream(): Promise<void> {
  say('\nAn upstream of 10 places and 10 ms each, so 1,000 requests a second:\n');
  say('| limit | offered/s | answer | answers/s | p50 ms | p99 ms |');
  say('|---|---|---|---|---|---|');
  const limits = {
    none: {},
    'concurrency: 10': { concurrency: 10 },
    'concurrency: adaptive, from 5': { concurrency: { initial: 10, min: 5 } },
  };
  for (const [name, limit] of Object.entries(limits)) {
    const [upstreamPort, port] = [nextPort(), nextPort()];
    const upstream = await service(upstreamPort, 10, 10);
    const endpoints = [`127.0.0.1:${upstreamPort}`];
    const proxy = await sidecar(
      'slow',
      configOf(port, { endpoints, connectionsMax: 10_000, ...limit }),
      port,
    );
    for (const rate of [500, 2000]) await shoot(name, port, rate, 1000, { '/': 1 });
    await Promise.all([proxy.kill(), upstream.kill()]);
  }
}

/** What it answers a second when it is asked without a pause. */
async function saturation(port: number): Promise<number> {
  const { answersPerSecond } = await openLoopByClass({
    port,
    rate: 20_000,
    seconds: 4,
    warm: 3,
    connections: 64,
    paths: { '/': 1 },
  });
  return Math.round(answersPerSecond);
}

async function busySidecar(): Promise<void> {
  say('\nA sidecar with what a busy program of ten times its weight leaves it of a core:\n');
  say('| overload | offered/s | answer | answers/s | p50 ms | p99 ms |');
  say('|---|---|---|---|---|---|');
  let rate = 0;
  for (const [name, more] of [
    ['off', {}],
    ['eventLoopDelay: 100ms', { overload: { eventLoopDelay: '100ms' } }],
  ] as const) {
    const [upstreamPort, port] = [nextPort(), nextPort()];
    const upstream = await service(upstreamPort, 10_000, 0);
    const routes = [
      { name: 'all', upstream: 'app' },
      { name: 'pay', match: { path: '/pay' }, upstream: 'app' },
    ];
    const config = configOf(
      port,
      { endpoints: [`127.0.0.1:${upstreamPort}`], connectionsMax: 10_000 },
      { routes, protect: ['pay'], ...more },
    );
    const proxy = await sidecar('busy', config, port, ['nice', '-n', '10']);
    const hog = await start([process.execPath, '-e', 'for (;;);'], { cores: PROXY_CORES, port: null });
    if (rate === 0) rate = Math.round(1.5 * (await saturation(port)));
    await shoot(name, port, rate, 1000, { '/': 9, '/pay': 1 });
    await Promise.all([proxy.kill(), upstream.kill(), hog.kill()]);
  }
}

pinSelf(LOAD_CORES);
if (!process.argv.includes('--busy')) await slowUpstream();
await busySidecar();
process.exit(0);
