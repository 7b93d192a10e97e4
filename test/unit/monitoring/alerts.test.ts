/** The alerts of config/prometheus: valid, each tried by promtool, each with its runbook. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { RULE_TESTS, RULES, RUNBOOKS, rules } from '../../support/promql.ts';
import { hasTools } from '../../support/tools.ts';
import { withFile } from '../../support/with-file.ts';

const alerts = rules().filter(({ alert }) => alert !== undefined);
const testFiles = readdirSync(RULE_TESTS).map((file) => join(RULE_TESTS, file));

interface Tried {
  readonly alertname: string;
  readonly exp_alerts: readonly unknown[];
}

/** Not synchronously: the tests take promtool seconds, and the runner would take this file for stuck. */
function promtool(...args: readonly string[]): Promise<{ status: unknown; output: string }> {
  return new Promise((resolve) => {
    execFile('promtool', args, (error, stdout, stderr) =>
      resolve({ status: error?.code ?? 0, output: stdout + stderr }),
    );
  });
}

describe.skipIf(!hasTools('promtool'))('promtool', () => {
  it('finds the rules valid', async () => {
    expect(await promtool('check', 'rules', RULES)).toMatchObject({ status: 0 });
  });

  it('sees every alert fire and be silent as its test says', async () => {
    const { status, output } = await promtool('test', 'rules', ...testFiles);
    expect({
      status,
      failures: output.split('\n').filter((line) => /FAILED|got:|alertname/.test(line)),
    }).toEqual({ status: 0, failures: [] });
  }, 120_000);

  it('would see an alert that does not fire', async () => {
    const [file] = testFiles.filter((name) => name.endsWith('records-lost.yaml'));
    const text = readFileSync(file!, 'utf8')
      .replace('../fairlead-alerts.yaml', RULES)
      .replace("'0x5 40x20'", "'40x25'");
    const { status, output } = await withFile(text, (path) => promtool('test', 'rules', path));
    expect(status).toBe(1);
    expect(output).toContain('alertname: FairleadExposuresDropped');
  });
});

it('each alert has a test in which it fires, and one in which it is silent', () => {
  const tried = testFiles.flatMap((file) =>
    (parse(readFileSync(file, 'utf8')) as { tests: { alert_rule_test: Tried[] }[] }).tests.flatMap(
      (test) => test.alert_rule_test,
    ),
  );
  const those = (isFiring: boolean) =>
    tried.filter(({ exp_alerts }) => exp_alerts.length > 0 === isFiring).map(({ alertname }) => alertname);
  for (const isFiring of [true, false])
    expect(new Set(those(isFiring))).toEqual(new Set(alerts.map(({ alert }) => alert)));
});

it('each alert has a severity, a sentence that says of what it speaks, and the page of its name', () => {
  for (const { alert, labels, annotations } of alerts) {
    expect(['critical', 'warning', 'info'], alert).toContain(labels!.severity);
    expect(annotations!.summary, alert).toMatch(/\{\{ \$labels\.\w+ \}\}/);
    expect(annotations!.runbook_url).toBe(`docs/runbooks/${alert}.md`);
  }
});

it('there is a runbook for each alert, and no other', () => {
  const pages = readdirSync(RUNBOOKS).filter((file) => file !== 'README.md');
  expect(pages.sort()).toEqual(alerts.map(({ alert }) => `${alert}.md`).sort());
});

it('a runbook says what it means, what users notice, where to look, what to do, and when it is nothing', () => {
  for (const { alert, labels } of alerts) {
    const text = readFileSync(join(RUNBOOKS, `${alert}.md`), 'utf8');
    expect(text.split('\n')[0]).toBe(`# ${alert}`);
    expect(text.split('\n')[2], alert).toContain(`**${labels!.severity}**: `);
    expect([...text.matchAll(/^## (.*)$/gm)].map((match) => match[1])).toEqual([
      'What users notice',
      'How to look',
      'What to do',
      'When it is nothing',
    ]);
  }
});
