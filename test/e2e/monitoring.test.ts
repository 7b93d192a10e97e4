/**
 * What alerts, dashboards and runbooks are about, held against a sidecar that runs: every metric, label and value that is
 * asked for, and every command of a runbook.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERRORS } from '../../src/base/error.ts';
import { OUTCOMES } from '../../src/telemetry/series.ts';
import { blocks, commands } from '../support/docs.ts';
import { fixedUpstream, type RawUpstream } from '../support/peers.ts';
import { type RunningProcess, runSidecar } from '../support/process.ts';
import { dashboards, expressions, RUNBOOKS, rules, taken } from '../support/promql.ts';
import { hasTools } from '../support/tools.ts';

const ROOT = join(import.meta.dirname, '../..');
const SHIM = join(ROOT, 'bin/fairlead.js');
const TOKEN = 'monitoring-token';

let folder: string;
let upstreams: RawUpstream[];
let sidecar: RunningProcess & { readonly ports: Readonly<Record<string, number>> };

/** Nobody listens at the candidate's upstream, so requests fail over and its breaker opens. */
function config(): string {
  const [one, two] = upstreams.map(({ endpoint }) => JSON.stringify(endpoint));
  return `
version: 1
service: shop
requireMetadata: false
listeners: [{ name: inbound, address: "127.0.0.1:0" }]
admin: { address: 127.0.0.1:0, probeAddress: 127.0.0.1:0, token: ${TOKEN} }
upstreams: { v1: [${one}, ${two}], v2: "127.0.0.1:1" }
routes: [{ name: api, upstream: v1, experiments: [ranking, banner] }]
experiments:
  ranking:
    variants: { control: {}, candidate: { weight: 50%, upstream: v2, concurrency: 10 } }
    breaker: { consecutiveFailures: 2, openFor: 1h, openForMax: 1h, budget: { target: 99% } }
    rollout: { steps: [1%, 5%, 20%], bake: 1h }
    mirror: { share: 1% }
  banner: { status: killed, variants: { control: {}, candidate: { weight: 10% } } }
overload: { memory: 95% }
`;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairlead-monitoring-'));
  const answer = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
  upstreams = [await fixedUpstream(answer), await fixedUpstream(answer)];
  await writeFile(join(folder, 'fairlead.yaml'), config());
  sidecar = await runSidecar('fairlead.yaml', folder);
  for (let user = 0; user < 12; user++) {
    const headers = { 'x-user-id': `u-${user}` };
    expect((await fetch(`http://127.0.0.1:${sidecar.ports.inbound}/`, { headers })).status).toBe(200);
  }
});

afterAll(async () => {
  sidecar.child.kill('SIGTERM');
  expect(await sidecar.exited).toBe(0);
  await Promise.all(upstreams.map((upstream) => upstream.close()));
  await rm(folder, { recursive: true, force: true });
});

/** Families of the page, each with the values of its labels. */
async function families(): Promise<Map<string, Map<string, Set<string>>>> {
  const page = await (await fetch(`http://127.0.0.1:${sidecar.ports.probes}/metrics`)).text();
  const found = new Map<string, Map<string, Set<string>>>();
  for (const line of page.split('\n')) {
    const type = /^# TYPE (\S+)/.exec(line);
    if (type !== null) found.set(type[1]!, new Map());
    const [, name, list = ''] = /^([a-z0-9_]+)(?:\{(.*)\})? /.exec(line) ?? [];
    if (name === undefined) continue;
    const labels = found.get(familyOf(name, found))!;
    for (const [, label, value] of list.matchAll(/(\w+)="([^"]*)"/g))
      labels.set(label!, (labels.get(label!) ?? new Set()).add(value!));
  }
  return found;
}

function familyOf(name: string, known: { has(name: string): boolean }): string {
  return known.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '');
}

/** Of each metric in docs/metrics.md the words of its row, which has its labels, and of its section, which has their values. */
async function documented(): Promise<Map<string, { row: Set<string>; section: Set<string> }>> {
  const text = await readFile(join(ROOT, 'docs/metrics.md'), 'utf8');
  const words = (of: string) => new Set([...of.matchAll(/`([^`]+)`/g)].map((match) => match[1]!));
  return new Map(
    text
      .split('\n## ')
      .flatMap((section) =>
        [...section.matchAll(/^\| `([a-z_]+)` \|(.*)$/gm)].map(
          ([, name, row]) => [name!, { row: words(row!), section: words(section) }] as const,
        ),
      ),
  );
}

/** Words of fixed lists that the page has only in part. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  code: Object.keys(ERRORS),
  outcome: OUTCOMES,
  from: ['closed', 'half-open', 'open'],
  to: ['closed', 'half-open', 'open'],
};

const recorded = new Set(rules().flatMap(({ record }) => record ?? []));
const asked: (readonly [string, string])[] = [
  ...rules().map(({ alert, record, expr }) => [alert ?? record!, expr] as const),
  ...dashboards().flatMap(([name, board]) => expressions(board).map((expr) => [name, expr] as const)),
];

/** What Prometheus itself adds. */
const ADDED = ['job', 'instance', 'le'];

it('every metric that an alert or a dashboard asks for is on the page, or recorded', async () => {
  const page = await families();
  const missing = asked.flatMap(([where, expr]) =>
    taken(expr)
      .selectors.map(({ name }) => name)
      .filter((name) => name !== 'up' && !recorded.has(name) && !page.has(familyOf(name, page)))
      .map((name) => `${where}: ${name}`),
  );
  expect(asked.length).toBeGreaterThan(100);
  expect(missing).toEqual([]);
});

it('every label and value that they ask for is one that the metric has', async () => {
  const [page, docs] = [await families(), await documented()];
  const problems = new Set<string>();
  for (const [where, expr] of asked) {
    const { selectors, labels, written } = taken(expr);
    const known = new Set([...ADDED, ...written]);
    for (const { name, labels: compared } of selectors) {
      const family = familyOf(name, page);
      const seen = page.get(family) ?? new Map<string, Set<string>>();
      const { row, section } = docs.get(family) ?? { row: new Set<string>(), section: new Set<string>() };
      const has = (label: string) => seen.has(label) || row.has(label) || ADDED.includes(label);
      for (const label of [...seen.keys(), ...row]) known.add(label);
      if (recorded.has(name)) for (const label of name.split(':')[0]!.split('_')) known.add(label);
      for (const [label, values] of Object.entries(compared)) {
        if (!has(label)) problems.add(`${where}: ${name} has no label ${label}`);
        const possible = [...(seen.get(label) ?? []), ...section, ...(WORDS[label] ?? [])];
        for (const value of values)
          if (!isPossible(value, possible)) problems.add(`${where}: ${name} has no ${label} ${value}`);
      }
    }
    for (const label of labels) if (!known.has(label)) problems.add(`${where}: ${label} is nobody's label`);
  }
  expect([...problems]).toEqual([]);
});

/** A variable of a dashboard (which is filled in with x), nothing, a word that there is, or the beginning of one. */
function isPossible(value: string, possible: readonly string[]): boolean {
  if (value === '' || value === 'x' || value === 'x/.*') return true;
  return value.endsWith('.*')
    ? possible.some((word) => word.startsWith(value.slice(0, -2)))
    : possible.includes(value);
}

it('would see a name, a label or a value that is not there', async () => {
  const { selectors, labels } = taken(
    'sum by (job, rout) (rate(fairlead_request_total{outcom="failure", outcome=~"bad|ok"}[5m]))',
  );
  expect(labels).toEqual(['job', 'rout']);
  expect(selectors).toEqual([
    { name: 'fairlead_request_total', labels: { outcom: ['failure'], outcome: ['bad', 'ok'] } },
  ]);
  expect((await families()).has('fairlead_request_total')).toBe(false);
  expect(isPossible('bad', [...OUTCOMES])).toBe(false);
});

const BEGIN_ROLLOUT = [
  'npx fairlead breaker reset api/ranking/candidate',
  'npx fairlead start ranking',
  'npx fairlead start-rollout ranking --skip-preflight',
];

describe.skipIf(!hasTools('curl'))('the commands of the runbooks', () => {
  const run = (line: string) => {
    const admin = `http://127.0.0.1:${sidecar.ports.admin}`;
    const asks =
      /^npx fairlead (?:get|kill|set|start|start-rollout|diffs|promote|undo|resume|breaker|endpoint|check|results) /.test(
        `${line} `,
      );
    const health = `http://127.0.0.1:${sidecar.ports.probes}/readyz`;
    const typed = line
      .replace(/^npx fairlead healthcheck/, `$& --url ${health}`)
      .replace(/^npx fairlead/, `'${process.execPath}' '${SHIM}'`)
      .replace(/^curl -s /, 'curl -sf ')
      .replace('127.0.0.1:15100', `127.0.0.1:${sidecar.ports.admin}`)
      .replace('127.0.0.1:15120', `127.0.0.1:${sidecar.ports.probes}`)
      .replace('127.0.0.1:9001', upstreams[0]!.endpoint);
    return promisify(execFile)('sh', ['-c', asks ? `${typed} --admin ${admin}` : typed], {
      cwd: folder,
      env: { ...process.env, TOKEN, FAIRLEAD_ADMIN__TOKEN: TOKEN },
    });
  };

  it('exist and do what they say', async () => {
    const pages = (await readdir(RUNBOOKS)).sort();
    const lines = new Set<string>();
    for (const page of pages)
      for (const line of (await blocks(`docs/runbooks/${page}`, 'sh')).flatMap(commands)) lines.add(line);
    expect(lines.size).toBeGreaterThan(30);
    const fault = { target: 'ranking/candidate', abort: { status: 503 }, for: '1h', reason: 'a game day' };
    const made = await fetch(`http://127.0.0.1:${sidecar.ports.admin}/v1/faults`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify(fault),
    });
    expect(await made.json()).toMatchObject({ id: 'f1' });
    const said = new Map<string, string>();
    for (const line of lines) {
      // The first of the commands to a rollout, in the order of the pages: of one that is under way.
      if (line.startsWith('npx fairlead promote'))
        for (const before of BEGIN_ROLLOUT) await run(`${before} --reason 'the page is about one'`);
      const { stdout } = await run(line).catch((error: unknown) => {
        throw new Error(`${line}: ${error}`);
      });
      said.set(line, stdout);
    }
    expect(said.get('npx fairlead get breakers -o wide')).toMatch(/api\/ranking\/candidate +open/);
    expect(said.get('curl -s http://127.0.0.1:15100/v1/config')).toContain('"lastReload"');
    const audit = await (await fetch(`http://127.0.0.1:${sidecar.ports.admin}/v1/audit`)).text();
    for (const action of ['set-status', 'set-weights', 'force', 'reset', 'end-fault', 'drain', 'undrain'])
      expect(audit).toContain(`"action":"${action}"`);
  }, 120_000);
});
