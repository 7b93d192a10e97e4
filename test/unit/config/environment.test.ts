/** Settings from the environment: `src/config/environment.ts`. */
import { describe, expect, test } from 'vitest';
import { configOf, issuesOf, minimal } from '../../support/config.ts';

describe('a variable', () => {
  test('wins over the file', () => {
    const config = configOf(minimal('timeouts: { firstByte: 1s }'), { FAIRLEAD_TIMEOUTS__FIRST_BYTE: '5s' });
    expect(config.timeouts.firstByte).toBe(5000);
  });

  test('needs no camel case and no underscore inside a name', () => {
    for (const name of [
      'FAIRLEAD_TIMEOUTS__FIRSTBYTE',
      'FAIRLEAD_timeouts__firstByte',
      'FAIRLEAD_TIMEOUTS__FIRST_BYTE',
    ]) {
      expect(configOf(minimal(), { [name]: '7s' }).timeouts.firstByte, name).toBe(7000);
    }
  });

  test('reads numbers, booleans and text as the key wants them', () => {
    const config = configOf(minimal(), {
      FAIRLEAD_LIMITS__FIELDS: '50',
      FAIRLEAD_FORWARDING__VIA: 'false',
      FAIRLEAD_ADMIN__TOKEN: '12345678',
      FAIRLEAD_SERVICE: 'checkout',
    });
    expect(config.limits.fields).toBe(50);
    expect(config.forwarding.via).toBe(false);
    expect(config.admin.token).toBe('12345678');
    expect(config.service).toBe('checkout');
  });

  test('reads a yes or no at the top level, and refuses what is neither', () => {
    expect(configOf(minimal(), { FAIRLEAD_NODE_INTERNALS: 'false' }).nodeInternals).toBe(false);
    expect(issuesOf(minimal(), { FAIRLEAD_NODE_INTERNALS: 'nope' })).toEqual([
      'FAIRLEAD_NODE_INTERNALS: nodeInternals: found "nope"; expected true or false',
    ]);
  });

  test('says how many workers there are, as a number or a word', () => {
    expect(configOf(minimal(), { FAIRLEAD_WORKERS: '2' }).workers).toBe(2);
    expect(configOf(minimal('workers: 4'), { FAIRLEAD_WORKERS: 'auto' }).workers).toBe('auto');
  });

  test('finds the name of an upstream or experiment in the file', () => {
    const text = 'version: 1\nupstreams: { checkout-v1: "a:1" }\n';
    const config = configOf(text, { FAIRLEAD_UPSTREAMS__CHECKOUT_V1: 'b:2' });
    expect(config.upstreams['checkout-v1']?.endpoints[0]?.id).toBe('b:2');
  });

  test('makes an entry that the file does not have', () => {
    const config = configOf('version: 1\n', { FAIRLEAD_UPSTREAMS__MY_APP: '127.0.0.1:8080' });
    expect(Object.keys(config.upstreams)).toEqual(['my-app']);
  });

  test('picks from a list by number', () => {
    const text = minimal('listeners: [{ name: a, address: "0.0.0.0:1" }]');
    expect(
      configOf(text, { FAIRLEAD_LISTENERS__0__ADDRESS: '127.0.0.1:8080' }).listeners?.[0]?.address,
    ).toEqual({
      kind: 'tcp',
      host: '127.0.0.1',
      port: 8080,
    });
  });

  test('may hold a list or a map as YAML', () => {
    const config = configOf(minimal(), { FAIRLEAD_UPSTREAMS__APP: '["127.0.0.1:1", "127.0.0.1:2"]' });
    expect(config.upstreams.app?.endpoints.map((endpoint) => endpoint.id)).toEqual([
      '127.0.0.1:1',
      '127.0.0.1:2',
    ]);
  });

  test('does not change the tree it is laid over', () => {
    const environment = { FAIRLEAD_TIMEOUTS__IDLE: '1s' };
    const text = minimal('timeouts: { idle: 9s }');
    configOf(text, environment);
    expect(configOf(text).timeouts.idle).toBe(9000);
  });
});

describe('a mistake in a variable', () => {
  test.each([
    [
      'an unknown key',
      { FAIRLEAD_TIMEOUTS__IDEL: '1s' },
      'FAIRLEAD_TIMEOUTS__IDEL: nothing is called "idel" there; did you mean "idle"?',
    ],
    [
      'an unknown section',
      { FAIRLEAD_TIMEOUT__IDLE: '1s' },
      'FAIRLEAD_TIMEOUT__IDLE: nothing is called "timeout" there; did you mean "timeouts"?',
    ],
    [
      'a bad unit',
      { FAIRLEAD_TIMEOUTS__IDLE: '1' },
      'FAIRLEAD_TIMEOUTS__IDLE: timeouts.idle: "1" has no unit; write 1s or 1ms',
    ],
    [
      'a number that is none',
      { FAIRLEAD_LIMITS__FIELDS: 'many' },
      'FAIRLEAD_LIMITS__FIELDS: limits.fields: found "many"; expected a number',
    ],
    [
      'YAML that is none',
      { FAIRLEAD_UPSTREAMS__APP: '["a:1"' },
      /^FAIRLEAD_UPSTREAMS__APP: upstreams\.app: not valid YAML/,
    ],
  ])('%s names the variable', (_name, environment, said) => {
    const issues = issuesOf(minimal(), environment);
    expect(issues).toHaveLength(1);
    if (typeof said === 'string') expect(issues[0]).toBe(said);
    else expect(issues[0]).toMatch(said);
  });

  test('a reference it makes is reported at the variable', () => {
    const issues = issuesOf(minimal('routes: [{ name: a }]'), { FAIRLEAD_ROUTES__0__UPSTREAM: 'ap' });
    expect(issues).toEqual([
      'FAIRLEAD_ROUTES__0__UPSTREAM: routes[0].upstream: there is no upstream "ap"; did you mean "app"?',
    ]);
  });
});

describe('what is not ours', () => {
  test('the variables Kubernetes makes for a Service called fairlead are left alone', () => {
    const environment = {
      FAIRLEAD_PORT: 'tcp://10.0.0.1:80',
      FAIRLEAD_SERVICE_HOST: '10.0.0.1',
      FAIRLEAD_SERVICE_PORT: '80',
      FAIRLEAD_PORT_80_TCP_ADDR: '10.0.0.1',
      FAIRLEAD_VERSION: '0.1.0',
      FAIRLEAD_ADMIN: 'x',
    };
    expect(issuesOf(minimal(), environment)).toEqual([]);
    expect(configOf(minimal(), environment)).toEqual(configOf(minimal()));
  });

  test('other prefixes and unset variables are left alone', () => {
    expect(issuesOf(minimal(), { OTHER_TIMEOUTS__IDEL: 'x', FAIRLEAD_TIMEOUTS__IDLE: undefined })).toEqual(
      [],
    );
  });
});
