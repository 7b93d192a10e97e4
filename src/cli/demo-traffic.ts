/**
 * The traffic of the demo: made-up users who search through the sidecar, about fifty times a second, and now and then buy
 * something, which is told to the admin API as the event `conversion`. Whatever fails is nothing to it. Not part of the
 * proxy.
 */
import { Agent, request } from 'node:http';
import type { Random } from '../base/clock.ts';

export interface DemoTrafficOptions {
  /** Of the sidecar, `http://127.0.0.1:15106`. */
  readonly sidecarUrl: string;
  readonly adminUrl: string;
  /** Of the admin API. */
  readonly token: string;
  readonly random: Pick<Random, 'next'>;
  /** It ended by itself. */
  readonly onEnd: () => void;
  /** Between two searches; a test has its own. */
  readonly everyMs?: number;
  /** A made-up user waits no longer. */
  readonly patienceMs?: number;
}

const EVERY_MS = 20;
const USERS = 2000;
/** Under way at once; when the service hangs, users wait and no more come. */
const UNDER_WAY_MAX = 200;
const PATIENCE_MS = 5000;
/** What of the searches ends in buying: the new ranking is a little better, which takes its time to show. */
const CONVERSION = { control: 0.01, candidate: 0.013 } as const;
const EVENTS_EVERY_MS = 1000;
/** Then everybody has forgotten that it runs; the access log has grown by some 150 MB. */
const LASTS_MS = 2 * 60 * 60 * 1000;

interface Conversion {
  readonly experiment: 'ranking';
  readonly metric: 'conversion';
  readonly unit: string;
  readonly value: 1;
}

/** Begins at once; the result stops it. */
export function startDemoTraffic(options: DemoTrafficOptions): () => void {
  const { sidecarUrl, random, onEnd, everyMs = EVERY_MS, patienceMs = PATIENCE_MS } = options;
  const agent = new Agent({ keepAlive: true });
  let underWay = 0;
  let conversions: Conversion[] = [];
  const search = (): void => {
    if (underWay >= UNDER_WAY_MAX) return;
    underWay++;
    const user = `user-${Math.floor(random.next() * USERS)}`;
    const headers = { 'x-user-id': user, 'user-agent': 'Mozilla/5.0 (made up)' };
    const sent = request(`${sidecarUrl}/api/search`, { agent, headers, timeout: patienceMs }, (response) => {
      const served = response.headers['x-fairlead-variant'] === 'ranking=candidate' ? 'candidate' : 'control';
      if (response.statusCode === 200 && random.next() < CONVERSION[served])
        conversions.push({ experiment: 'ranking', metric: 'conversion', unit: user, value: 1 });
      response.on('error', () => undefined).resume();
    });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => undefined);
    sent.on('close', () => {
      underWay--;
    });
    sent.end();
  };
  const tell = (): void => {
    if (conversions.length === 0) return;
    void post(options, conversions);
    conversions = [];
  };
  const timers = [setInterval(search, everyMs), setInterval(tell, EVENTS_EVERY_MS)];
  const stop = (): void => {
    for (const timer of timers) clearInterval(timer);
    clearTimeout(end);
    agent.destroy();
  };
  const end = setTimeout(() => {
    stop();
    onEnd();
  }, LASTS_MS);
  return stop;
}

/** Never rejects. */
async function post({ adminUrl, token }: DemoTrafficOptions, events: readonly Conversion[]): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ events });
  const signal = AbortSignal.timeout(PATIENCE_MS);
  await fetch(`${adminUrl}/v1/events`, { method: 'POST', headers, body, signal }).then(
    (response) => response.arrayBuffer(),
    () => undefined,
  );
}
