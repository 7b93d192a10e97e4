/** What kind of program a user agent says it is. */
import { expect, test } from 'vitest';
import { AGENTS } from '../../../src/analysis/collection/delta.ts';
import { agentOf } from '../../../src/telemetry/collection/agent.ts';

test.each([
  [null, 'none'],
  ['', 'none'],
  ['Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0', 'browser'],
  ['Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)', 'bot'],
  ['Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/120.0.0.0', 'bot'],
  ['kube-probe/1.29', 'bot'],
  ['okhttp/4.12.0', 'library'],
  ['python-requests/2.32.3', 'library'],
  ['acme-app/3.1 CFNetwork/1490 Darwin/23', 'library'],
  ['something else', 'other'],
  ['x'.repeat(100_000), 'other'],
])('%s is %s, the second time as well', (userAgent, kind) => {
  expect(AGENTS[agentOf(userAgent)]).toBe(kind);
  expect(AGENTS[agentOf(userAgent)]).toBe(kind);
});
