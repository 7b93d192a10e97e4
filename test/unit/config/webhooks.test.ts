/** Webhooks as they are written, and where their secrets do not go. */
import { describe, expect, test } from 'vitest';
import { configHash, redact } from '../../../src/config/hash.ts';
import { secretFiles, withSecrets } from '../../../src/config/secrets.ts';
import { configOf, issuesOf, minimal } from '../../support/config.ts';

const hook = (settings: string): string => minimal(`webhooks: [{ name: chat, ${settings} }]`);

describe('a webhook', () => {
  test('is told of everything in five seconds, unless it says otherwise', () => {
    const [webhook] = configOf(hook('url: "https://chat.example/hook", secret: s')).webhooks;
    expect(webhook).toMatchObject({
      events: ['breaker.opened', 'breaker.closed', 'experiment.killed', 'rollout.moved'],
      timeout: 5_000,
    });
  });

  test.each([
    ['url: "https://chat.example/hook"', 'give a secret or a secretFile, one of the two'],
    [
      'url: "https://chat.example/hook", secret: s, secretFile: f',
      'give a secret or a secretFile, one of the two',
    ],
    ['url: "ftp://chat.example/", secret: s', 'expected a URL that begins with https:// or http://'],
    ['url: "https://me:pw@chat.example/", secret: s', 'without a user'],
    ['url: "chat", secret: s', 'expected a URL that begins with https:// or http://'],
    ['url: "https://chat.example/", secret: s, events: [breaker.openedd]', 'breaker.opened'],
  ])('%s is refused', (settings, said) => {
    expect(issuesOf(hook(settings)).join('\n')).toContain(said);
  });

  test('has a name of its own', () => {
    const two = '{ name: chat, url: "https://a.example/", secret: s }';
    expect(issuesOf(minimal(`webhooks: [${two}, ${two}]`))).toEqual([
      expect.stringContaining('webhooks[1].name: two webhooks are called "chat"'),
    ]);
  });

  test('has its secret from a file, without the newline at its end', () => {
    const config = configOf(hook('url: "https://chat.example/", secretFile: hook.secret'));
    expect(secretFiles(config)).toContainEqual({
      path: ['webhooks', 0, 'secretFile'],
      file: 'hook.secret',
    });
    const complete = withSecrets(config, new Map([['hook.secret', 'a secret\n']]));
    expect(complete.webhooks[0]!.secret).toBe('a secret');
  });

  test('is shown without its secret and the path of its URL, and neither is in the hash', () => {
    const config = configOf(hook('url: "https://chat.example/T0/B1/token?k=1", secret: key-one-xyz'));
    const shown = JSON.stringify(redact(config));
    expect(shown).toContain('https://chat.example/[redacted]');
    for (const secret of ['T0/B1', 'k=1', 'key-one-xyz']) expect(shown).not.toContain(secret);
    const other = configOf(hook('url: "https://chat.example/T0/B1/token?k=1", secret: second'));
    expect(configHash(other)).toBe(configHash(config));
  });
});
