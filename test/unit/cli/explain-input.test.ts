/** How a request is described to `explain`: like to curl, or pasted. */
import { expect, describe as suite, test } from 'vitest';
import { describe, fromWords, type RequestDescription } from '../../../src/cli/explain-input.ts';
import { CliError } from '../../../src/cli/io.ts';

function described(description: Partial<RequestDescription>, pasted = '') {
  async function* input() {
    yield pasted.slice(0, 7);
    yield Buffer.from(pasted.slice(7));
  }
  return describe({ target: '/', header: [], ...description }, input());
}

suite('words', () => {
  test('are a target, or a method and a target', () => {
    expect(fromWords([])).toEqual({ target: '/' });
    expect(fromWords(['/a?b'])).toEqual({ target: '/a?b' });
    expect(fromWords(['DELETE', '/a'])).toEqual({ method: 'DELETE', target: '/a' });
    expect(() => fromWords(['get', '/a'])).toThrow(CliError);
    expect(() => fromWords(['GET', '/a', '/b'])).toThrow(/is not a request/);
  });
});

suite('options', () => {
  test('headers of one name are joined, and cookies as cookies are', async () => {
    const { headers, method } = await described({
      header: ['X-A: 1', 'x-a:2', 'Cookie: s=1'],
      cookie: ['t=2', 'u=3; v=4'],
    });
    expect(Object.fromEntries(headers)).toEqual({ 'x-a': '1, 2', cookie: 's=1; t=2; u=3; v=4' });
    expect(method).toBe('GET');
  });

  test.each([
    [{ clientAddress: '300.1.1.1' }, '--client-address "300.1.1.1" is not an IP address; write one such as'],
    [{ clientAddress: '10.1.2.3:80' }, 'without a port'],
    [{ clientAddress: '' }, '--client-address "" is not an IP address'],
    [{ method: 'G ET' }, '--method "G ET" is not a method; did you mean "GET"?'],
    [{ method: 'post' }, '--method "post" is not a method; did you mean "POST"?'],
    [{ method: 'a b' }, '--method "a b" is not a method; write one such as GET'],
    [{ method: '' }, '--method "" is not a method; write one such as GET'],
  ])('%j is refused, with what was meant', async (description, message) => {
    const error = await described(description).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CliError);
    expect(error).toMatchObject({ exitCode: 2, message: expect.stringContaining(message) });
  });

  test('addresses of both families, and methods that few have heard of, are taken', async () => {
    for (const clientAddress of ['10.1.2.3', 'fd00::1', '::ffff:10.1.2.3'])
      expect(await described({ clientAddress })).toMatchObject({ clientAddress });
    for (const method of ['GET', 'PROPFIND', 'm-search'])
      expect(await described({ method })).toMatchObject({ method });
  });

  test('a URL brings its host, which wins over the field', async () => {
    expect(
      await described({ target: 'https://shop.test:8443?q=1#top', header: ['host: other'] }),
    ).toMatchObject({
      host: 'shop.test:8443',
      path: '/',
      query: 'q=1',
    });
  });
});

suite('a pasted request', () => {
  const PASTED =
    'POST /cart/7?add=1 HTTP/1.1\r\nHost: shop\r\nCookie: a=b\r\nX-User-Id: u1\r\n\r\nbody: not a field';

  test('is read to the end of its head, from any newline', async () => {
    for (const text of [PASTED, PASTED.replaceAll('\r', ''), `\n\n${PASTED}`]) {
      const { headers, ...rest } = await described({ target: '-' }, text);
      expect(rest).toMatchObject({ method: 'POST', host: 'shop', path: '/cart/7', query: 'add=1' });
      expect(Object.fromEntries(headers)).toEqual({ host: 'shop', cookie: 'a=b', 'x-user-id': 'u1' });
    }
  });

  test('may be changed by options', async () => {
    const { headers, method } = await described({ target: '-', method: 'GET', cookie: ['c=d'] }, PASTED);
    expect([method, headers.get('cookie')]).toEqual(['GET', 'a=b; c=d']);
  });

  test('needs a request line, and fields that are fields', async () => {
    await expect(described({ target: '-' }, '')).rejects.toThrow(/does not begin with a request line/);
    await expect(described({ target: '-' }, 'HTTP/1.1 200 OK\r\n\r\n')).rejects.toThrow(CliError);
    await expect(described({ target: '-' }, 'GET / HTTP/1.1\r\nno field\r\n\r\n')).rejects.toThrow(
      /is not a header/,
    );
  });

  test('is not read without end', async () => {
    let read = 0;
    async function* endless() {
      yield 'GET / HTTP/1.1\r\n\r\n';
      for (;;) {
        read++;
        yield 'x'.repeat(1024);
      }
    }
    expect((await describe({ target: '-', header: [] }, endless())).path).toBe('/');
    expect(read).toBeLessThan(300);
  });
});
