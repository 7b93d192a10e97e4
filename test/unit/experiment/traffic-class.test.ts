import { expect, test } from 'vitest';
import {
  type ClassifySettings,
  isAnythingExcluded,
  KNOWN_HEALTH_CHECKS,
  TrafficClassifier,
  USER_AGENT_MAX,
} from '../../../src/experiment/traffic-class.ts';
import { type RequestParts, requestOf } from '../../support/experiment.ts';

const NOTHING: ClassifySettings = {
  syntheticHeader: null,
  healthCheckAgents: [],
  healthCheckPaths: [],
  hasKnownBots: false,
  botPatterns: [],
};

const BROWSER =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36';

function classOf(settings: Partial<ClassifySettings>, parts: RequestParts): string | null {
  return new TrafficClassifier({ ...NOTHING, ...settings }).classOf(requestOf(parts));
}

const agent = (text: string): RequestParts => ({ headers: { 'user-agent': text } });

test('settings that exclude nothing say so, and any one that does is seen', () => {
  expect(isAnythingExcluded(NOTHING)).toBe(false);
  for (const one of [
    { syntheticHeader: 'x-synthetic' },
    { healthCheckAgents: ['kube-probe/'] },
    { healthCheckPaths: ['/health'] },
    { hasKnownBots: true },
    { botPatterns: ['x'] },
  ])
    expect(isAnythingExcluded({ ...NOTHING, ...one })).toBe(true);
});

test.each(['kube-probe/1.31', 'ELB-HealthChecker/2.0', 'GoogleHC/1.0', 'Envoy/HC'])(
  '%s is a health check, by how it begins',
  (text) => {
    expect(classOf({ healthCheckAgents: KNOWN_HEALTH_CHECKS }, agent(text))).toBe('health-check');
    expect(classOf({ healthCheckAgents: KNOWN_HEALTH_CHECKS }, agent(`not ${text}`))).toBe(null);
    expect(classOf({}, agent(text))).toBe(null);
  },
);

test('with health checks by user agent alone, the first byte tells which requests need no look', () => {
  const agentsOnly = new TrafficClassifier({ ...NOTHING, healthCheckAgents: KNOWN_HEALTH_CHECKS });
  for (const known of KNOWN_HEALTH_CHECKS) expect(agentsOnly.isWorthAsking(known.charCodeAt(0))).toBe(true);
  for (const byte of ['M'.charCodeAt(0), -1, 255]) expect(agentsOnly.isWorthAsking(byte)).toBe(false);
  for (const more of [{ botPatterns: ['x'] }, { hasKnownBots: true }, { healthCheckPaths: ['/h'] }])
    expect(new TrafficClassifier({ ...NOTHING, ...more }).isWorthAsking('M'.charCodeAt(0))).toBe(true);
});

test('a path is a health check exactly, or below one that ends with a star', () => {
  const settings = { healthCheckPaths: ['/healthz', '/live/*'] };
  expect(classOf(settings, { path: '/healthz' })).toBe('health-check');
  expect(classOf(settings, { path: '/live/db' })).toBe('health-check');
  expect(classOf(settings, { path: '/healthz/more' })).toBe(null);
  expect(classOf(settings, { path: '/lively' })).toBe(null);
});

test.each([
  'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
  'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)',
  'Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)',
  'facebookexternalhit/1.1',
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0 Safari/537.36',
  'AdsBot-Google (+http://www.google.com/adsbot.html)',
])('%s is a known bot', (text) => {
  expect(classOf({ hasKnownBots: true }, agent(text))).toBe('bot');
});

test.each([
  BROWSER,
  'Mozilla/5.0 (Linux; Android 9; CUBOT_NOTE_S) AppleWebKit/537.36',
  'curl/8.5.0',
  'Go-http-client/1.1',
  'okhttp/4.12.0',
  '',
])('%j is no known bot: a person, or a service that calls another', (text) => {
  expect(classOf({ hasKnownBots: true }, agent(text))).toBe(null);
});

test('a request without a user agent is no bot', () => {
  expect(classOf({ hasKnownBots: true, healthCheckAgents: KNOWN_HEALTH_CHECKS }, {})).toBe(null);
});

test('patterns of the configuration are found anywhere and in any case, each on its own', () => {
  const settings = { botPatterns: ['acme-monitor', '^scan(ner)?/'] };
  expect(classOf(settings, agent('Mozilla/5.0 ACME-Monitor/3'))).toBe('bot');
  expect(classOf(settings, agent('Scanner/1'))).toBe('bot');
  expect(classOf(settings, agent('a scanner/1'))).toBe(null);
  expect(() => new TrafficClassifier({ ...NOTHING, botPatterns: ['a(', ')b'] })).toThrow();
});

test('a user agent is looked at up to its limit, however long it is', () => {
  const long = 'x'.repeat(USER_AGENT_MAX);
  expect(classOf({ hasKnownBots: true }, agent(`${long} Googlebot/2.1`))).toBe(null);
  expect(classOf({ hasKnownBots: true }, agent(`Googlebot/2.1 ${long}`))).toBe('bot');
});

test('the same user agent has the same class again, also after more of them than are remembered', () => {
  const classifier = new TrafficClassifier({ ...NOTHING, hasKnownBots: true });
  const ask = (text: string) => classifier.classOf(requestOf(agent(text)));
  for (let round = 0; round < 2; round++) {
    expect(ask('Googlebot/2.1')).toBe('bot');
    expect(ask(BROWSER)).toBe(null);
    for (let i = 0; i < 2500; i++) ask(`browser ${i}`);
  }
});

test('what says most of itself goes first: synthetic, then health checks, then bots', () => {
  const settings = {
    syntheticHeader: 'x-synthetic',
    healthCheckAgents: ['bot-check/'],
    hasKnownBots: true,
  };
  expect(classOf(settings, { headers: { 'x-synthetic': '', 'user-agent': 'bot-check/1' } })).toBe(
    'synthetic',
  );
  expect(classOf(settings, agent('bot-check/1'))).toBe('health-check');
  expect(classOf(settings, agent('a bot'))).toBe('bot');
});
