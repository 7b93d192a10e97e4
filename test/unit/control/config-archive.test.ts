import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  type ArchivedRules,
  archiveRules,
  readArchivedRules,
  rulesId,
} from '../../../src/config/archived-rules.ts';
import { EMPTY_RUNTIME } from '../../../src/config/runtime.ts';
import { archiveFile, ConfigArchive } from '../../../src/control/config-archive.ts';
import { configOf, withExperiment } from '../../support/config.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-archive-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function rulesWith(salt: string): ArchivedRules {
  return archiveRules(configOf(withExperiment(`salt: ${salt}`)), EMPTY_RUNTIME);
}

function newArchive(keep: number, into = folder) {
  const problems: string[] = [];
  return {
    archive: new ConfigArchive({ folder: into, keep, onProblem: (message) => problems.push(message) }),
    problems,
  };
}

test('rules are kept under their hash, and read back as what they decide by', async () => {
  const { archive, problems } = newArchive(10, join(folder, 'new', 'one'));
  const rules = rulesWith('s1');
  archive.add(rules);
  await archive.flush();
  const text = readFileSync(archiveFile(join(folder, 'new', 'one'), rules.id), 'utf8');
  expect([text, rulesId(text), problems]).toEqual([rules.text, rules.id, []]);
  expect(readArchivedRules(text)?.snapshot.experiments.get('ranking')?.salt).toBe('s1');
});

test('of more than are kept the oldest go, and those that come again are young', async () => {
  const { archive } = newArchive(2);
  const [one, two, three] = [rulesWith('s1'), rulesWith('s2'), rulesWith('s3')];
  for (const [seconds, rules] of [one, two].entries()) {
    archive.add(rules);
    await archive.flush();
    utimesSync(archiveFile(folder, rules.id), seconds + 1, seconds + 1);
  }
  archive.add(one);
  archive.add(three);
  await archive.flush();
  expect(readdirSync(folder).sort()).toEqual([`${one.id}.json`, `${three.id}.json`].sort());
});

test('other files in the folder stay, and nothing half-written does', async () => {
  writeFileSync(join(folder, 'notes.txt'), '');
  const { archive } = newArchive(1);
  for (let n = 0; n < 30; n++) archive.add(rulesWith(`s${n}`));
  await archive.flush();
  expect(readdirSync(folder).sort()).toEqual([`${rulesWith('s29').id}.json`, 'notes.txt'].sort());
});

test('a folder that cannot be written is reported once, and costs nothing else', async () => {
  writeFileSync(join(folder, 'file'), '');
  const { archive, problems } = newArchive(5, join(folder, 'file'));
  archive.add(rulesWith('s1'));
  await archive.flush();
  archive.add(rulesWith('s2'));
  await archive.flush();
  expect(problems).toEqual([expect.stringContaining('cannot be replayed')]);
});

test('no secret of the configuration is in what is kept, and a change at run time is', () => {
  const text = `${withExperiment('salt: s1')}
admin: { token: admin-secret }
exposures: { key: exposure-secret }
stickyKeys: [{ id: k1, key: sticky-secret-0123456789-0123456789 }]
segments: { staff: { values: [anna@example.org] } }
`;
  const config = configOf(text);
  const kept = archiveRules(config, EMPTY_RUNTIME);
  for (const secret of ['admin-secret', 'exposure-secret', 'sticky-secret', 'anna@'])
    expect(kept.text).not.toContain(secret);
  const experiments = new Map([
    ['ranking', { salt: 's1', status: null, weights: null, slots: [], epoch: 7, seenAt: null, forgets: 0 }],
    ['gone', { salt: 's1', status: null, weights: null, slots: [], epoch: 2, seenAt: null, forgets: 0 }],
  ]);
  const later = archiveRules(config, { experiments });
  expect(later.id).not.toBe(kept.id);
  expect(later.text).not.toContain('gone');
  expect(readArchivedRules(later.text)?.snapshot.experiments.get('ranking')?.epoch).toBe(7);
  expect(readArchivedRules(later.text)?.isWithoutIds).toBe(true);
});

test('a text that is something else is no rules', () => {
  for (const text of [
    '',
    '{}',
    'null',
    '{"format":"fairlead-rules","version":2}',
    rulesWith('s').text.slice(0, -9),
  ])
    expect(readArchivedRules(text)).toBeNull();
});
