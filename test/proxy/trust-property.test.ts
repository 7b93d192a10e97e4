/** Whatever an untrusted peer sends: nothing of ours gets through, and everything else that is well-formed does, in order. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { field } from '../support/message.ts';
import { answer, get, ok, useRig } from '../support/rig.ts';

const rig = useRig();

const theirs = fc.stringMatching(/^[a-eg-z][a-z0-9]{0,6}=[A-Za-z0-9;=_-]{0,8}$/);
const ours = fc.stringMatching(/^fairlead\.[a-z]{1,8}(=[A-Za-z0-9;=_-]{0,8})?$/);
const space = fc.constantFrom('', ' ', '\t', '  ');
const member = fc.tuple(space, fc.oneof(theirs, ours), space).map((parts) => parts.join(''));
const cookie = fc.oneof(
  theirs.filter((pair) => !pair.includes(';')),
  fc.constantFrom('fairlead_override=always', 'fairlead_override=fl1.k.A.B', 'fairlead_override='),
);
const wish = fc.constantFrom(
  'always',
  'ranking=candidate',
  'fl1.k1.e30.AAAA',
  'ranking=candidate;q=1',
  '"',
  '',
);

/** Every property has a name; there is nothing else that a member of `theirs` could lack. */
function isWellFormed(part: string): boolean {
  const [, ...properties] = part.split(';');
  return properties.every((property) => /^[^=]/.test(property));
}

it('over 300 requests on one connection', async () => {
  const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
  const proxy = await rig.plane([upstream.endpoint], {
    listeners: [{ name: 'edge', address: '127.0.0.1:0', trust: { context: 'none' } }],
    routes: [
      { name: 'plain', match: { path: '/plain' }, upstream: 'app' },
      { name: 'all', upstream: 'app', experiments: ['ranking'] },
    ],
    experiments: { ranking: { variants: { control: { weight: '100%' }, candidate: { weight: '0%' } } } },
  });
  const client = rig.client(proxy.port);
  const request = fc.record({
    path: fc.constantFrom('/', '/plain'),
    baggage: fc.array(member, { maxLength: 5 }),
    cookies: fc.array(cookie, { maxLength: 4 }),
    headers: fc.array(
      fc.tuple(
        fc.constantFrom(
          'x-experiment',
          'X-Experiment',
          'x-experiment-override',
          'x-experiment-token',
          'x-experiment-explain',
        ),
        wish,
      ),
      { maxLength: 4 },
    ),
  });
  await fc.assert(
    fc.asyncProperty(request, async ({ path, baggage, cookies, headers }) => {
      const n = upstream.requests.length;
      let fields = 'x-user-id: u-1\r\n';
      for (const [name, value] of headers) fields += `${name}: ${value}\r\n`;
      if (baggage.length > 0) fields += `baggage: ${baggage.join(',')}\r\n`;
      if (cookies.length > 0) fields += `cookie: ${cookies.join('; ')}\r\n`;
      expect((await answer(client.send(get(path, fields)))).status).toBe(200);
      const sent = await upstream.request(n);
      const isAssigned = path === '/';
      for (const name of ['x-experiment-override', 'x-experiment-token', 'x-experiment-explain'])
        expect(field(sent, name)).toBeNull();
      expect(field(sent, 'x-experiment')).toBe(isAssigned ? 'ranking=control' : null);
      const list = (text: string | null, by: string) =>
        (text ?? '')
          .split(by)
          .map((part) => part.trim())
          .filter((part) => part !== '');
      const others = baggage.map((part) => part.trim()).filter((part) => !part.startsWith('fairlead.'));
      const expected = others.filter(isWellFormed);
      expect(list(field(sent, 'baggage'), ',')).toEqual(
        isAssigned ? [...expected, 'fairlead.ranking=control'] : expected,
      );
      expect(list(field(sent, 'cookie'), ';')).toEqual(
        cookies.filter((part) => !part.startsWith('fairlead_override')),
      );
    }),
    { numRuns: 300 },
  );
});
