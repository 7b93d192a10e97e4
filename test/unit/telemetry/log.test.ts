import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { createLog, type Log, silentLog } from '../../../src/telemetry/log.ts';
import { Metrics } from '../../../src/telemetry/metrics.ts';
import { openAccessLog, openExposures, openLossWatch } from '../../../src/telemetry/open.ts';

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
  await expect.poll(() => existsSync(file) && readFileSync(file, 'utf8')).toMatch(/\n$/);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ experiment: 'a', service: 'checkout' });
  await opened?.sink?.close();
  opened?.exposures.record({ ...exposure, unit: 'v' });
  const page = await metrics.render();
  expect(page).toContain('fairlead_exposures_total 1\n');
  expect(page).toContain('fairlead_exposures_dropped_total 1\n');
  rmSync(folder, { recursive: true });
});

test('what is lost of the exposures in a file is known to who asks whether they are whole', async () => {
  const metrics = new Metrics({ version: '0', node: '0', isProcessIncluded: false });
  const said: string[] = [];
  const log: Log = { ...silentLog, warn: (_facts, sentence) => void said.push(sentence) };
  const watch = openLossWatch({ metrics, log }, { enabled: true, lossLimitPpm: 10_000 }, systemClock)!;
  metrics.counters.exposuresWritten.value = 90;
  metrics.counters.exposuresDropped.value = 10;
  const page = await metrics.render();
  expect(page).toContain('fairlead_exposure_loss_ratio 0.1\n');
  expect(page).toContain('fairlead_exposure_loss_within_limit 0\n');
  expect(said).toEqual([
    'exposures: 10.00 % of the last hour is lost, which is more than lossLimit: what is said about experiments is not to be trusted',
  ]);
  watch.close();
});
