/**
 * How soon are clients protected when the candidate turns bad under load? It has a tenth of the requests, and from one
 * moment on answers every one with 503, or none. With and without failover, and with two settings of the breaker.
 * Run on a quiet machine: npm exec -c 'node bench/protect.ts -- --rate 10000'
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { OpenLoop, type OpenLoopResult } from './support/open-loop.ts';
import { pinSelf, type Started, sleep, start } from './support/processes.ts';
import { LOAD_CORES, nextPort, PROXY_CORES, ROOT, scratchFile, writeResponder } from './support/rig.ts';

/** The window of the slower settings is full of good calls by then. */
const WARM = 13;
const BAD_SECONDS = 5;
const FLAG = scratchFile('bad');

const BREAKERS = {
  'window 10s, errorRate 5%, slow 250ms 20%': {
    window: '10s',
    errorRate: '5%',
    slow: { threshold: '250ms', rate: '20%' },
  },
  'window 1s, errorRate 20%, slow 250ms 10%': {
    window: '1s',
    errorRate: '20%',
    slow: { threshold: '250ms', rate: '10%' },
  },
};

const TROUBLES = {
  'answers 503': { begin: () => writeFileSync(FLAG, ''), end: () => rmSync(FLAG) },
  hangs: { begin: () => signalCandidate('STOP'), end: () => signalCandidate('CONT') },
};

const { values: flags } = parseArgs({
  options: { rate: { type: 'string', default: '10000' } },
  allowPositionals: true,
});
const rate = Number(flags.rate);
const [controlPort, candidatePort] = [nextPort(), nextPort()];
const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** The workers of the candidate; its port goes on accepting. */
function signalCandidate(signal: 'STOP' | 'CONT'): void {
  const pid = readFileSync(scratchFile('candidate.pid'), 'utf8').trim();
  spawnSync('pkill', [`-${signal}`, '-P', pid]);
}

async function responders(): Promise<Started[]> {
  const control = writeResponder('control', [`127.0.0.1:${controlPort}`]);
  const candidate = writeResponder('candidate', [`127.0.0.1:${candidatePort}`]);
  const text = readFileSync(candidate, 'utf8');
  writeFileSync(candidate, text.replace('location / {', `location / { if (-f ${FLAG}) { return 503; }`));
  return [
    await start(['nginx', '-c', control], { cores: LOAD_CORES, port: controlPort }),
    await start(['nginx', '-c', candidate], { cores: LOAD_CORES, port: candidatePort }),
  ];
}

async function sidecar(breaker: object, hasFailover: boolean, port: number, log: string): Promise<Started> {
  const failover = hasFailover ? { after: '300ms' } : false;
  const config = {
    version: 1,
    requireMetadata: false,
    listeners: [{ name: 'inbound', address: `127.0.0.1:${port}` }],
    admin: { address: 'off', probeAddress: 'off' },
    upstreams: { v1: `127.0.0.1:${controlPort}`, v2: `127.0.0.1:${candidatePort}` },
    routes: [{ name: 'all', upstream: 'v1', experiments: ['ranking'], failover }],
    experiments: {
      ranking: {
        variants: { control: {}, candidate: { weight: '10%', upstream: 'v2' } },
        breaker: { ...breaker, openFor: '30s' },
      },
    },
    timeouts: { firstByte: '2s' },
    accessLog: { enabled: false },
    exposures: { file: '/dev/null' },
  };
  const file = scratchFile('protect.yaml');
  writeFileSync(file, JSON.stringify(config));
  const run = [process.execPath, `${ROOT}/src/main.ts`, 'run', '-c', file];
  return start(['sh', '-c', `exec "$@" 2>${log}`, 'sh', ...run], { cores: PROXY_CORES, port });
}

/** When the breaker first opened, by the log, and by which limit; null: it did not. Before the trouble: the machine was busy, and it says nothing. */
function firstOpening(log: string, badMs: number): { readonly time: number; readonly cause: string } | null {
  const openings = readFileSync(log, 'utf8')
    .split('\n')
    .filter((text) => text.includes('closed -> open'))
    .map((text) => {
      const { time } = JSON.parse(text) as { time: number };
      return { time, cause: /"cause":"([a-z-]+)"/.exec(text)?.[1] ?? 'not said' };
    });
  if (openings.some(({ time }) => time < badMs))
    throw new Error('the breaker opened before anything was wrong');
  return openings[0] ?? null;
}

function row(
  name: readonly string[],
  badMs: number,
  opened: ReturnType<typeof firstOpening>,
  result: OpenLoopResult,
): string {
  const last = Math.max(...result.failures.map(({ atMs }) => atMs)) - badMs;
  const { p50, p99, max } = result.latencyUs;
  const ms = (us: number): string => (us / 1000).toFixed(1);
  const cells = [
    ...name,
    `${Math.round(result.answered / (WARM + BAD_SECONDS))}`,
    opened === null ? 'never' : `${Math.round(opened.time - badMs)} ms, ${opened.cause}`,
    String(result.failed),
    result.failed === 0 ? '-' : `${Math.round(last)} ms`,
    `${ms(p50)}, ${ms(p99)}, ${ms(max)} ms`,
  ];
  return `| ${cells.join(' | ')} |`;
}

async function measure(what: keyof typeof TROUBLES, settings: keyof typeof BREAKERS, hasFailover: boolean) {
  const [port, log] = [nextPort(), scratchFile('protect.log')];
  const proxy = await sidecar(BREAKERS[settings], hasFailover, port, log);
  const seconds = WARM + BAD_SECONDS;
  const loop = await OpenLoop.open({ port, rate, seconds, connections: 256, isSleeping: true });
  const running = loop.run();
  await sleep(WARM * 1000);
  const badMs = Date.now();
  TROUBLES[what].begin();
  const result = await running;
  TROUBLES[what].end();
  await loop.close();
  await proxy.stop();
  say(row([what, settings, hasFailover ? 'yes' : 'no'], badMs, firstOpening(log, badMs), result));
}

pinSelf(LOAD_CORES);
const upstreams = await responders();
say(`${rate} requests/s offered, all GET, a tenth to the candidate; latencies are of the whole run\n`);
say(
  '| the candidate | breaker | failover | answered/s | breaker open after | failed requests | the last one after | p50, p99, longest |',
);
say('|---|---|---|---|---|---|---|---|');
for (const what of Object.keys(TROUBLES) as (keyof typeof TROUBLES)[])
  for (const settings of Object.keys(BREAKERS) as (keyof typeof BREAKERS)[])
    for (const hasFailover of [true, false]) await measure(what, settings, hasFailover);
for (const upstream of upstreams) await upstream.kill();
process.exit(0);
