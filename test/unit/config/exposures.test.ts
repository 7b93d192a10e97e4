import { describe, expect, test } from 'vitest';
import { configHash, redact } from '../../../src/config/hash.ts';
import { secretFiles, withSecrets } from '../../../src/config/secrets.ts';
import { configOf, issuesOf, minimal, snapshotOf } from '../../support/config.ts';

const SPOOL = 'spool: { dir: /var/lib/fairlead/spool }';
const exposures = (...settings: string[]) => minimal(`exposures: { ${settings.join(', ')} }`);
const sinks = (...list: string[]) => exposures(SPOOL, `sinks: [${list.join(', ')}]`);
const HTTP = '{ name: lake, kind: http, url: "https://lake.example/in?key=abc", token: sesame }';
const KAFKA =
  '{ name: bus, kind: kafka, brokers: ["127.0.0.1:9092"], topic: exposures, username: me, password: sesame }';

describe('exposures', () => {
  test('are NDJSON on stdout, with a key made from the name of the service, unless it is said', () => {
    const { format, file, spool, unitKeys, key, isPlain } = snapshotOf(minimal()).exposures;
    expect({ format, file, spool, isPlain }).toEqual({
      format: 'ndjson',
      file: null,
      spool: null,
      isPlain: false,
    });
    expect(unitKeys).toEqual([{ id: null, key, fromMs: 0 }]);
  });

  test('in a spool are CloudEvents', () => {
    const { format, spool, lossLimitPpm } = snapshotOf(sinks(HTTP)).exposures;
    expect(format).toBe('cloudevents');
    expect(spool).toEqual({
      dir: '/var/lib/fairlead/spool',
      maxBytes: 256 * 1024 * 1024,
      segmentBytes: 8 * 1024 * 1024,
      fsync: 'second',
    });
    expect(lossLimitPpm).toBe(10_000);
  });

  test('are sent with a token as it is asked for', () => {
    const other = HTTP.replace('lake,', 'other,').replace(
      'token: sesame',
      'token: sesame, tokenHeader: x-key',
    );
    const { sinks: compiled } = snapshotOf(sinks(HTTP, other)).exposures;
    expect(compiled).toMatchObject([
      { headers: { authorization: 'Bearer sesame' } },
      { headers: { 'x-key': 'sesame' } },
    ]);
  });

  test('have keys that take turns', () => {
    const text = exposures(
      'unitKeys: [{ id: k1, key: a }, { id: k2, key: b, from: "2026-12-01T00:00:00Z" }]',
    );
    const { unitKeys, key } = snapshotOf(text).exposures;
    expect(unitKeys).toEqual([
      { id: 'k1', key: 'a', fromMs: 0 },
      { id: 'k2', key: 'b', fromMs: Date.parse('2026-12-01T00:00:00Z') },
    ]);
    expect(key).toBe('a');
  });
});

describe('secrets of exposures', () => {
  const text = exposures(
    SPOOL,
    'unitKeys: [{ id: k1, key: sesame }]',
    `sinks: [${HTTP}, ${KAFKA}, { name: disk, kind: file, file: /tmp/x }]`,
  );

  test('are shown nowhere', () => {
    const config = configOf(text);
    const shown = JSON.stringify(redact(config));
    expect(shown).not.toMatch(/sesame|abc/);
    expect(shown).toContain('https://lake.example/[redacted]');
    expect(configHash(config)).toBe(configHash(configOf(text.replaceAll('sesame', 'other'))));
  });

  test('can be in files', () => {
    const config = configOf(
      exposures(
        SPOOL,
        'unitKeys: [{ id: k1, keyFile: /k }]',
        `sinks: [${HTTP.replace('token: sesame', 'tokenFile: /t')}, ${KAFKA.replace('password: sesame', 'passwordFile: /p')}]`,
      ),
    );
    expect(secretFiles(config).map(({ path }) => path.join('.'))).toEqual([
      'exposures.unitKeys.0.keyFile',
      'exposures.sinks.0.tokenFile',
      'exposures.sinks.1.passwordFile',
    ]);
    const contents = new Map(['/k', '/t', '/p'].map((file) => [file, `in ${file}\n`]));
    const { unitKeys, sinks: read } = withSecrets(config, contents).exposures;
    expect(unitKeys[0]!.key).toBe('in /k');
    expect(read).toMatchObject([{ token: 'in /t' }, { password: 'in /p' }]);
  });

  test('are in no message about them', () => {
    const issues = issuesOf(exposures('unitKeys: [{ id: k1, key: [sesame] }]'));
    expect(issues).toHaveLength(1);
    expect(issues[0]).not.toContain('sesame');
  });
});

describe('what is wrong with exposures is said', () => {
  test.each([
    [exposures(`${SPOOL}`), 'exposures.spool: nothing reads it; give at least one sink'],
    [exposures(`sinks: [${HTTP}]`), 'exposures.sinks: sinks are sent what is in a spool; give one'],
    [
      exposures(SPOOL, `sinks: [${HTTP}]`, 'file: /tmp/x'),
      'exposures.file: with a spool, records go to its sinks; make this a sink of kind file',
    ],
    [sinks(HTTP, HTTP), 'exposures.sinks[1].name: two sinks are called "lake"'],
    [
      sinks(HTTP.replace('token:', 'tokenFile: /t, token:')),
      'exposures.sinks[0].tokenFile: token and tokenFile are both given; keep one',
    ],
    [
      sinks(KAFKA.replace(', password: sesame', '')),
      'exposures.sinks[0].username: give a username with a password or a passwordFile, or none of them',
    ],
    [
      exposures('key: a', 'unitKeys: [{ id: k1, key: b }]'),
      'exposures.unitKeys: there is one key already; make it the first of unitKeys, or keep that one alone',
    ],
    [
      exposures('unitKeys: [{ id: k1, key: a }, { id: k1, key: b, from: "2026-12-01T00:00:00Z" }]'),
      'exposures.unitKeys[1].id: two keys are called "k1"',
    ],
    [
      exposures('unitKeys: [{ id: k1, key: a }, { id: k2, key: b }]'),
      'exposures.unitKeys[1].from: two keys are in force from the same time on',
    ],
    [
      exposures('spool: { dir: /x, maxBytes: 2MiB, segmentBytes: 2MiB }', `sinks: [${HTTP}]`),
      'exposures.spool.maxBytes: it must be at least twice segmentBytes, as whole segments are dropped',
    ],
    [sinks('{ name: lake, kind: https }'), 'exposures.sinks[0].kind'],
    [sinks('{ name: lake, kind: http, ulr: "http://a" }'), 'did you mean "url"?'],
  ])('%#', (text, expected) => {
    expect(issuesOf(text).join('\n')).toContain(expected);
  });
});
