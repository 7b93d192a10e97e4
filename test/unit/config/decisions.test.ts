import { expect, test } from 'vitest';
import { issuesOf, minimal, snapshotOf } from '../../support/config.ts';

const withDecisions = (...more: string[]): string => minimal('decisions: { file: /log/d.ndjson }', ...more);

test('a decision log has a hundredth of the requests, 64 MiB and its rules beside it, unless told otherwise', () => {
  expect(snapshotOf(minimal()).decisions).toBeNull();
  expect(snapshotOf(withDecisions()).decisions).toEqual({
    file: '/log/d.ndjson',
    samplePpm: 10_000,
    maxBytes: 64 * 1024 * 1024,
    isPlain: false,
    configsDir: '/log/d.ndjson.configs',
    configsMax: 100,
  });
  const own =
    'decisions: { file: d, sample: 100%, maxBytes: 1MiB, units: plain, configsDir: /rules, keep: 5 }';
  expect(snapshotOf(minimal(own)).decisions).toMatchObject({
    samplePpm: 1_000_000,
    isPlain: true,
    configsDir: '/rules',
    configsMax: 5,
  });
});

test('its file is nobody else’s, since it is moved aside when it is full', () => {
  const said = (name: string) =>
    `3:20: decisions.file: it is ${name} as well, and would be moved aside with it`;
  expect(issuesOf(withDecisions('accessLog: { file: /log/d.ndjson }'))).toEqual([said('accessLog.file')]);
  expect(issuesOf(withDecisions('exposures: { file: /log/d.ndjson }'))).toEqual([said('exposures.file')]);
  expect(issuesOf(withDecisions('stateFile: /log/d.ndjson'))).toEqual([said('stateFile')]);
  expect(issuesOf(withDecisions('accessLog: { file: /log/a.ndjson }'))).toEqual([]);
});
