/** docs/monitoring.md as somebody would follow it, and where it and the runbooks lead to. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { blocks, commands } from '../support/docs.ts';
import { RULES, RUNBOOKS, rules } from '../support/promql.ts';
import { hasTools } from '../support/tools.ts';

const ROOT = join(import.meta.dirname, '../..');
const DOC = 'docs/monitoring.md';

it.skipIf(!hasTools('promtool'))(
  'Prometheus takes its configuration, and the runbooks get an address',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fairlead-monitoring-'));
    try {
      const [prometheus] = await blocks(DOC, 'yaml');
      const [setUp, tests] = (await blocks(DOC, 'sh')).map(commands) as [string[], string[]];
      await writeFile(join(folder, 'prometheus.yml'), prometheus!);
      await copyFile(RULES, join(folder, 'fairlead-alerts.yaml'));
      const said: string[] = [];
      for (const line of setUp)
        said.push((await promisify(execFile)('sh', ['-c', line], { cwd: folder })).stdout);
      expect(said).toEqual([
        '',
        expect.stringMatching(/SUCCESS: \d+ rules found/),
        expect.stringContaining('SUCCESS'),
      ]);
      const changed = await readFile(join(folder, 'fairlead-alerts.yaml'), 'utf8');
      const alerts = rules().filter(({ alert }) => alert !== undefined);
      expect(
        changed.match(/runbook_url: https:\/\/git\.example\.com\/.*\/docs\/runbooks\/\w+\.md$/gm),
      ).toHaveLength(alerts.length);
      // The other command is what test/unit/monitoring/alerts.test.ts runs.
      expect(tests).toEqual(['promtool test rules config/prometheus/tests/*.yaml']);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);

it('it lists every alert with its severity', () => {
  const text = readFileSync(join(ROOT, DOC), 'utf8');
  const rows = [...text.matchAll(/^\| \[(\w+)\]\(runbooks\/(\w+)\.md\) \| (\w+) \|/gm)].map((row) =>
    row.slice(1),
  );
  const alerts = rules().filter(({ alert }) => alert !== undefined);
  expect(rows).toEqual(alerts.map(({ alert, labels }) => [alert, alert, labels!.severity]));
});

it('its provisioning of Grafana is a file provider', async () => {
  const provisioning = (await blocks(DOC, 'yaml')).at(-1);
  expect(parse(provisioning!)).toMatchObject({
    apiVersion: 1,
    providers: [{ type: 'file', options: { path: expect.stringContaining('dashboards') } }],
  });
});

/** As GitHub makes it of a heading. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map((match) =>
    match[1]!
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}

it('its links and those of the runbooks lead to a page and a heading', () => {
  const pages = [DOC, ...readdirSync(RUNBOOKS).map((file) => relative(ROOT, join(RUNBOOKS, file)))];
  const broken: string[] = [];
  for (const page of pages) {
    const text = readFileSync(join(ROOT, page), 'utf8');
    for (const [, path = '', anchor] of text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)) {
      const target = path === '' ? join(ROOT, page) : join(ROOT, dirname(page), path);
      if (!existsSync(target)) broken.push(`${page}: ${path}`);
      else if (anchor !== undefined && !anchors(readFileSync(target, 'utf8')).includes(anchor))
        broken.push(`${page}: ${path}#${anchor}`);
    }
  }
  expect(broken).toEqual([]);
});
