import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createLog, silentLog } from '../../../src/telemetry/log.ts';
import { Metrics } from '../../../src/telemetry/metrics.ts';
import { openAccessLog, openExposures } from '../../../src/telemetry/open.ts';

test('a decision is one JSON line with its facts, its sentence and the service', () => {
  const lines: string[] = [];
  const log = createLog({ sink: { write: (line) => lines.push(line) > 0 }, service: 'checkout' });
  log.warn({ experiment: 'ranking' }, 'halt ranking: p99 412ms > 250ms (n=1430)');
  log.debug({}, 'not shown');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    level: 40,
    service: 'checkout',
    experiment: 'ranking',
    msg: 'halt ranking: p99 412ms > 250ms (n=1430)',
  });
});

const EXPOSURES = {
  format: 'ndjson',
  unitKeys: [{ id: null, key: 'k', fromMs: 0 }],
  isPlain: false,
  dedupeEntriesMax: 10,
  dedupeMs: 1000,
} as const;

test('what is off is not opened', () => {
  const metrics = new Metrics({ version: '0', node: '0', isProcessIncluded: false });
  const context = { service: 'checkout', metrics, log: silentLog };
  expect(openAccessLog(context, { enabled: false, file: null })).toBeNull();
  expect(openExposures(context, { ...EXPOSURES, enabled: false, file: null })).toBeNull();
});

test('an exposure goes to its file, and a lost one into the metrics', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-open-'));
  const metrics = new Metrics({ version: '0', node: '0', isProcessIncluded: false });
  const file = join(folder, 'exposures.ndjson');
  const settings = { ...EXPOSURES, enabled: true, file };
  const opened = openExposures({ service: 'checkout', metrics, log: silentLog }, settings);
  const exposure = {
    experiment: 'a',
    epoch: 1,
    assigned: 'b',
    served: 'b',
    reason: 'split',
    unit: 'u',
    unitSource: 'cookie sid',
    atMs: 0,
    route: 'r',
    requestId: 'i',
  };
  opened?.exposures.record(exposure);
  await opened?.sink?.flush();
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ experiment: 'a', service: 'checkout' });
  await opened?.sink?.close();
  opened?.exposures.record({ ...exposure, unit: 'v' });
  const page = await metrics.render();
  expect(page).toContain('fairlead_exposures_total 1\n');
  expect(page).toContain('fairlead_exposures_dropped_total 1\n');
  rmSync(folder, { recursive: true });
});
