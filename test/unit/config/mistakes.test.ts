/** A mistake in the form of a configuration has a place, says what was found and what was meant. */
import { describe, expect, test } from 'vitest';
import { issuesOf, minimal, withExperiment } from '../../support/config.ts';

/** [what the author did, the file, the one thing that is said] */
type Case = readonly [name: string, text: string, said: string];

function check(cases: readonly Case[]): void {
  test.each(cases)('%s', (_name, text, said) => {
    expect(issuesOf(text)).toEqual([said]);
  });
}

describe('YAML', () => {
  check([
    ['an empty file', '', '1:1: the file is empty; the smallest has version: 1 and upstreams'],
    ['only comments', '# nothing\n', '1:1: the file is empty; the smallest has version: 1 and upstreams'],
    ['a list', '- a\n', '1:1: found a list; expected a map'],
    [
      'a key twice',
      'version: 1\nupstreams: {a: "b:1"}\nversion: 1\n',
      '3:1: this key is given twice in one map; keep one of them',
    ],
    [
      'a key twice, deep down',
      'version: 1\nupstreams:\n  a: "b:1"\n  a: "b:2"\n',
      '4:3: this key is given twice in one map; keep one of them',
    ],
    [
      'two documents',
      'version: 1\nupstreams: {a: "b:1"}\n---\nversion: 1\n',
      '3:1: the file holds more than one YAML document; keep one, without ---',
    ],
    [
      'a tag',
      'version: 1\nupstreams: !secret x\n',
      '2:12: tags are not supported here (Unresolved tag: !secret)',
    ],
    ['a map as a key', 'version: 1\n? {a: 1}\n: 2\n', '2:3: a key must be plain text'],
    [
      'an alias of what holds it',
      'version: 1\nupstreams: &u\n  a: *u\n',
      '3:6: this alias points to something that holds it',
    ],
    [
      'the prototype as a key',
      'version: 1\nupstreams: {__proto__: "b:1"}\n',
      '2:13: this name is not allowed',
    ],
    [
      'a name of the language as a key',
      'version: 1\nupstreams: {constructor: "b:1"}\n',
      '2:13: this name is not allowed',
    ],
    [
      'a merge of what is no map',
      'version: 1\nx-a: &a [1]\nlimits: {<<: *a}\n',
      '3:10: << takes an alias of a map',
    ],
  ]);

  test('a tab, an unclosed bracket and an unknown alias have their places', () => {
    expect(issuesOf('version: 1\nupstreams:\n\ta: "b:1"\n')[0]).toMatch(/^3:\d+: .*tabs/);
    expect(issuesOf('version: 1\nupstreams: {a: "b:1"\nservice: x\n')[0]).toMatch(/^3:\d+: not valid YAML/);
    expect(issuesOf('version: 1\nupstreams: *nope\n')[0]).toMatch(/^2:12: /);
  });

  test('aliases that would expand to more than 10,000 values are refused where they do', () => {
    const bomb = ['x-a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]'];
    for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh', 'hi']) {
      bomb.push(`x-${to}: &${to} [${Array.from({ length: 10 }, () => `*${from}`).join(', ')}]`);
    }
    const [said, ...more] = issuesOf(bomb.join('\n'));
    expect(said).toMatch(/^\d+:\d+: aliases expand to more than 10000 values; write them out or share less$/);
    expect(more).toEqual([]);
  });

  test('nesting deeper than 32 and files over 16 MiB are refused', () => {
    expect(issuesOf(`a: ${'['.repeat(40)}${']'.repeat(40)}\n`)).toEqual(['1:36: nested more than 32 deep']);
    expect(issuesOf(`# ${'x'.repeat(16 * 1024 * 1024)}\n`)[0]).toContain('more than 16777216');
  });
});

describe('keys', () => {
  check([
    ['an unknown key', minimal('timeoutz: {}'), '3:1: timeoutz: unknown key; did you mean "timeouts"?'],
    [
      'the spelling of another style',
      minimal('access_log: {}'),
      '3:1: access_log: unknown key; did you mean "accessLog"?',
    ],
    [
      'two letters swapped',
      minimal('timeouts: { idel: 3s }'),
      '3:13: timeouts.idel: unknown key; did you mean "idle"?',
    ],
    [
      'the name another proxy has',
      minimal('routes:', '  - { name: a, backend: app }'),
      '4:16: routes[0].backend: unknown key; did you mean "upstream"?',
    ],
    [
      'a key that is there already',
      minimal('drain: { timeout: 1s, timeouts: 2s }'),
      '3:23: drain.timeouts: unknown key; "timeout" is given already',
    ],
    [
      'a key like nothing',
      minimal('drain: { qqqqqqq: 1 }'),
      '3:10: drain.qqqqqqq: unknown key; known here: delay, timeout',
    ],
    [
      'a key in a variant',
      withExperiment('variants: { control: {}, b: { wieght: 5% } }'),
      '5:35: experiments.ranking.variants.b.wieght: unknown key; did you mean "weight"?',
    ],
    ['a missing version', 'upstreams: { app: "a:1" }\n', '1:1: version: this key is missing; expected 1'],
    [
      'another version',
      'version: 2\nupstreams: { app: "a:1" }\n',
      '1:10: version: found the number 2; expected 1',
    ],
    [
      'a missing threshold',
      withExperiment('breaker: { slow: { rate: 20% } }'),
      '6:22: experiments.ranking.breaker.slow.threshold: this key is missing; expected a duration such as 250ms or 10s',
    ],
  ]);
});

describe('units', () => {
  check([
    [
      'a duration without unit',
      minimal('timeouts: { idle: 10 }'),
      '3:19: timeouts.idle: found the number 10; expected a duration such as 250ms or 10s',
    ],
    [
      'a quoted duration without unit',
      minimal('timeouts: { idle: "10" }'),
      '3:19: timeouts.idle: "10" has no unit; write 10s or 10ms',
    ],
    [
      'an unknown unit',
      minimal('timeouts: { idle: 10sec }'),
      '3:19: timeouts.idle: "10sec" has the unknown unit "sec"; use ms, s, m, h or d',
    ],
    [
      'a zero that makes no sense',
      minimal('timeouts: { idle: 0s }'),
      '3:19: timeouts.idle: found 0s; it must be longer than 0',
    ],
    [
      'a size without unit',
      minimal('limits: { head: 64 }'),
      '3:17: limits.head: found the number 64; expected a size such as 64KiB',
    ],
    [
      'a size out of bounds',
      minimal('limits: { head: 10B }'),
      '3:17: limits.head: found 10B; expected from 1024 to 1048576 bytes',
    ],
    [
      'a share without %',
      withExperiment('traffic: 50'),
      '6:14: experiments.ranking.traffic: found the number 50; expected a percentage such as 5%',
    ],
    [
      'a ratio of nothing',
      withExperiment('breaker: { errorRate: 0% }'),
      '6:27: experiments.ranking.breaker.errorRate: found 0%; it must be more than 0%',
    ],
    [
      'more than everything',
      withExperiment('traffic: 150%'),
      '6:14: experiments.ranking.traffic: "150%" is more than 100%',
    ],
    [
      'a number that is too small',
      withExperiment('breaker: { minimumRequests: 0 }'),
      '6:33: experiments.ranking.breaker.minimumRequests: found the number 0; expected at least 1',
    ],
    [
      'a fraction of a request',
      withExperiment('breaker: { minimumRequests: 1.5 }'),
      '6:33: experiments.ranking.breaker.minimumRequests: found the number 1.5; expected a whole number',
    ],
    [
      'an address without port',
      minimal('listeners: [{ name: in, address: 127.0.0.1 }]'),
      '3:34: listeners[0].address: "127.0.0.1" is not host:port or unix:/path',
    ],
    [
      'a URL as endpoint',
      'version: 1\nupstreams: { app: "http://a:80/x" }\n',
      '2:19: upstreams.app: "http://a:80/x" is a URL; write host:port without "http://" and without a path',
    ],
    [
      'a yes that is text',
      minimal('forwarding: { via: yes }'),
      '3:20: forwarding.via: found "yes"; expected true or false',
    ],
    [
      'a choice that is none',
      minimal('forwarding: { forwardedFor: apend }'),
      '3:29: forwarding.forwardedFor: found "apend"; expected append or set or off; did you mean "append"?',
    ],
    [
      'a number where text is meant',
      withExperiment('targeting: [{ header: x-tenant, equals: 42 }]'),
      '6:45: experiments.ranking.targeting[0].equals: found the number 42; expected text, so put it in quotes',
    ],
    ['nothing where text is meant', minimal('stateFile:'), '3:11: stateFile: found nothing; expected text'],
  ]);
});

describe('texts', () => {
  check([
    [
      'a NUL in a salt',
      withExperiment('salt: "a\\0b"'),
      '6:11: experiments.ranking.salt: found a text with a NUL in it; a salt has none',
    ],
  ]);
});

describe('several at once', () => {
  test('all mistakes are told, in the order of the file', () => {
    const text = minimal('timeouts: { idle: 1, connect: 2 }', 'limits: { fields: x }', 'wat: 1');
    expect(issuesOf(text).map((issue) => issue.split(':').slice(0, 2).join(':'))).toEqual([
      '3:19',
      '3:31',
      '4:19',
      '5:1',
    ]);
  });

  test('a secret of the wrong kind is not repeated in the message', () => {
    const said = issuesOf(minimal('admin: { token: 123456 }', 'exposures: { key: [abcdef] }')).join('\n');
    expect(said).toContain('3:17: admin.token: ');
    expect(said).toContain('4:19: exposures.key: ');
    expect(said).not.toMatch(/123456|abcdef/);
  });
});
