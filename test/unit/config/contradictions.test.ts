/** A contradiction in a configuration has a place, says what was found and what was meant: `src/config/validate.ts`. */
import { describe, expect, test } from 'vitest';
import { issuesOf, minimal, withExperiment } from '../../support/config.ts';

/** [what the author did, the file, the one thing that is said] */
type Case = readonly [name: string, text: string, said: string];

function check(cases: readonly Case[]): void {
  test.each(cases)('%s', (_name, text, said) => {
    expect(issuesOf(text)).toEqual([said]);
  });
}

describe('references and sums', () => {
  const two = 'version: 1\nupstreams: { checkout-v1: "a:1", checkout-v2: "a:2" }\n';
  check([
    [
      'an upstream that is not there',
      `${two}routes: [{ name: a, upstream: checkout-v3, match: { path: /a } }, { name: b, upstream: checkout-v2 }, { name: c, upstream: checkout-v1, match: { path: /c } }]\n`,
      '3:31: routes[0].upstream: there is no upstream "checkout-v3"; did you mean "checkout-v1"?',
    ],
    [
      'no route with two upstreams',
      two,
      '1:1: routes are missing; with 2 upstreams they say which requests go where',
    ],
    [
      'a route without upstream',
      `${two}routes: [{ name: a }, { name: b, upstream: checkout-v1, match: { path: /b } }, { name: c, upstream: checkout-v2, match: { path: /c } }]\n`,
      '3:10: routes[0]: the route "a" has no upstream; name one of checkout-v1, checkout-v2',
    ],
    [
      'an experiment that is not there',
      minimal('routes: [{ name: a, experiments: [rankng] }]'),
      '3:35: routes[0].experiments[0]: there is no experiment "rankng"',
    ],
    [
      'two routes of one name',
      minimal('routes: [{ name: a }, { name: a, match: { path: /a } }]'),
      '3:31: routes[1].name: two routes are called "a"',
    ],
    [
      'two routes that match the same',
      minimal('routes: [{ name: a, match: { path: "/x/{id}" } }, { name: b, match: { path: "/x/{key}" } }]'),
      '3:69: routes[1].match: the routes "a" and "b" both match any method any host /x/{}; the second would never be used',
    ],
    [
      'two listeners on one address',
      minimal('listeners: [{ name: a, address: "0.0.0.0:80" }, { name: b, address: "0.0.0.0:80" }]'),
      '3:69: listeners[1].address: 0.0.0.0:80 is taken by listener "a" as well',
    ],
    [
      'a listener on the address of admin',
      minimal('listeners: [{ name: a, address: "127.0.0.1:15100" }]'),
      '3:33: listeners[0].address: 127.0.0.1:15100 is taken by admin.address as well',
    ],
    [
      'no upstream at all',
      'version: 1\nupstreams: {}\n',
      '2:12: upstreams: there is no upstream; name at least one, such as app: "127.0.0.1:8080"',
    ],
    [
      'an endpoint twice',
      'version: 1\nupstreams: { app: ["a:1", "A:1"] }\n',
      '2:19: upstreams.app.endpoints[1]: the endpoint a:1 is listed twice',
    ],
    [
      'a path that is none',
      minimal('routes: [{ name: a, match: { path: api/* } }]'),
      '3:36: routes[0].match.path: the path "api/*" does not begin with /',
    ],
    [
      'a host with port',
      minimal('routes: [{ name: a, match: { host: "a.test:80" } }]'),
      '3:36: routes[0].match.host: "a.test:80" holds a port; hosts are matched without it',
    ],
    [
      'a method that cannot be proxied',
      minimal('routes: [{ name: a, match: { method: CONNECT } }]'),
      '3:38: routes[0].match.method: CONNECT is not supported by this proxy',
    ],
    [
      'a token twice',
      minimal('admin: { token: hidden-1, tokenFile: /x }'),
      '3:38: admin.tokenFile: token and tokenFile are both given; keep one',
    ],
    [
      'a target larger than a head',
      minimal('limits: { head: 1KiB, target: 2KiB }'),
      '3:31: limits.target: a target of 2048 bytes never fits into a head of 1024',
    ],
    [
      'one header for two purposes',
      minimal('propagation: { header: x-a, overrideHeader: X-A }'),
      '3:45: propagation.overrideHeader: the header x-a is used for two purposes',
    ],
  ]);
});

describe('experiments', () => {
  check(
    [
      [
        'weights that add up to less',
        withExperiment('variants: { control: { weight: 90% }, candidate: { weight: 5% } }'),
        '5:5: experiments.ranking.variants: the weights add up to 95%, not 100% (control 90%, candidate 5%); leave out the weight of "control" and it takes the rest',
      ],
      [
        'weights that add up to more',
        withExperiment('variants: { control: {}, a: { weight: 60% }, b: { weight: 60% } }'),
        '5:5: experiments.ranking.variants: the weights add up to 120%, not 100% (control (rest), a 60%, b 60%)',
      ],
      [
        'a treatment without weight',
        withExperiment('variants: { control: {}, candidate: {} }'),
        '5:5: experiments.ranking.variants: "candidate" has no weight; only the fallback "control" may leave it out',
      ],
      [
        'one variant',
        withExperiment('variants: { control: {} }'),
        '5:15: experiments.ranking.variants: found only the variant control; an experiment has at least two',
      ],
      [
        'no control and no fallback',
        withExperiment('variants: { a: { weight: 50% }, b: { weight: 50% } }'),
        '4:3: experiments.ranking: no variant is called control, so name the safe one: fallback: a',
      ],
      [
        'a fallback that is not there',
        withExperiment(
          'fallback: contrl',
          'variants: { control: { weight: 90% }, candidate: { weight: 10% } }',
        ),
        '5:15: experiments.ranking.fallback: there is no variant "contrl"; did you mean "control"?',
      ],
      [
        'a variant upstream that is not there',
        withExperiment('variants: { control: {}, candidate: { weight: 10%, upstream: ap } }'),
        '5:66: experiments.ranking.variants.candidate.upstream: there is no upstream "ap"; did you mean "app"?',
      ],
      [
        'an experiment called always',
        minimal('experiments:', '  always:', '    variants: { control: {}, b: { weight: 1% } }'),
        '4:3: experiments.always: always is what an override says for every experiment; choose another name',
      ],
      [
        'a name in capitals',
        minimal('experiments:', '  Ranking:', '    variants: { control: {}, b: { weight: 1% } }'),
        '4:3: experiments.Ranking: "Ranking" is no name here; a name is lower-case letters, digits, _ . - and at most 63 of them, the first a letter',
      ],
      [
        'two experiments with one salt',
        minimal(
          'experiments:',
          '  a: { salt: s, variants: { control: {}, b: { weight: 1% } } }',
          '  b: { salt: s, variants: { control: {}, b: { weight: 1% } } }',
        ),
        '5:14: experiments.b.salt: the experiments "a" and "b" have the same salt "s", so they would deal out the same users; give each its own',
      ],
      [
        'a salt that is the name of another',
        minimal(
          'experiments:',
          '  a: { salt: b, variants: { control: {}, b: { weight: 1% } } }',
          '  b: { variants: { control: {}, b: { weight: 1% } } }',
        ),
        '5:3: experiments.b: the experiments "a" and "b" have the same salt "b", so they would deal out the same users; give each its own',
      ],
      [
        'a rule about two things',
        withExperiment('targeting: [{ header: a, cookie: b, equals: x }]'),
        '6:17: experiments.ranking.targeting[0]: found header and cookie; a rule looks at exactly one of header, cookie, query, pathParameter, claim, clientIdentity, clientAddress, method, path',
      ],
      [
        'a rule without a test',
        withExperiment('targeting: [{ header: a }]'),
        '6:17: experiments.ranking.targeting[0]: found no test; a rule has exactly one of equals, in, prefix, suffix, contains, matches, exists, gt, gte, lt, lte, between, before, after, semver, cidr, segment',
      ],
      [
        'a unit with two sources in one',
        withExperiment('unit: [{ header: a, cookie: b }]'),
        '6:12: experiments.ranking.unit[0]: found header and cookie; a unit source is exactly one of header, cookie, query, path, claim, clientAddress, clientIdentity, request',
      ],
      [
        'a header name with a space',
        withExperiment('unit: { header: "x user" }'),
        '6:21: experiments.ranking.unit.header: "x user" is no header name',
      ],
      [
        'openFor over its maximum',
        withExperiment('breaker: { openFor: 2m }'),
        '6:25: experiments.ranking.breaker.openFor: openFor 2m is longer than openForMax 1m',
      ],
      [
        'a breaker that differs from none',
        withExperiment(
          'breaker: false',
          'variants: { control: {}, b: { weight: 1%, breaker: { window: 1s } } }',
        ),
        '6:56: experiments.ranking.variants.b.breaker: the experiment has breaker: false, so there is nothing to differ from',
      ],
    ].map(([name, text, said]): Case => [name ?? '', text ?? '', said ?? '']),
  );

  test('a pattern that RE2 cannot do is refused where it stands', () => {
    const [said, ...more] = issuesOf(withExperiment('targeting: [{ header: a, matches: "(?=x)y" }]'));
    expect(said).toMatch(/^6:39: experiments\.ranking\.targeting\[0\]\.matches: /);
    expect(more).toEqual([]);
  });

  test('a pattern that makes backtracking engines run away is fine', () => {
    expect(issuesOf(withExperiment('targeting: [{ header: a, matches: "(a+)+$" }]'))).toEqual([]);
  });
});

describe('warnings', () => {
  test.each([
    [
      'an upstream nobody uses',
      'version: 1\nupstreams: { a: "a:1", b: "a:2" }\nroutes: [{ name: r, upstream: a }]\n',
      '2:24: warning: upstreams.b: no route and no variant uses this upstream',
    ],
    [
      'an experiment on no route',
      `${withExperiment()}routes: [{ name: r }]\n`,
      '4:3: warning: experiments.ranking: no route lists this experiment, so it takes no traffic',
    ],
    [
      'a route no listener serves',
      minimal('listeners: [{ name: in, address: "a:1" }]', 'routes: [{ name: r, direction: outbound }]'),
      '4:10: warning: routes[0]: no listener is outbound, so this route is never used',
    ],
  ])('%s', (_name, text, said) => {
    expect(issuesOf(text)).toEqual([said]);
  });
});
