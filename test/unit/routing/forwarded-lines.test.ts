import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { Head, parseRequestHead } from '../../../src/http1/head.ts';
import type { ForwardingSettings } from '../../../src/routing/forward.ts';
import { ForwardedLines } from '../../../src/routing/forwarded-lines.ts';
import { LIMITS } from '../../support/http1.ts';

const SETTINGS: ForwardingSettings = {
  forwardedFor: 'append',
  forwardedProto: 'keep',
  forwardedHost: 'keep',
  via: false,
  requestId: false,
  traceparent: false,
};

function parsed(target: string, ...fields: string[]): Head {
  const head = new Head();
  const bytes = Buffer.from(
    `GET ${target} HTTP/1.1\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`,
  );
  expect(parseRequestHead(head, bytes, 0, bytes.length, LIMITS)).toBe(bytes.length);
  return head;
}

/** The lines that a connection without a past gives. */
function fresh(head: Head, settings: ForwardingSettings): string {
  return new ForwardedLines('192.0.2.7', 'https').for(head, settings);
}

const HEADS = {
  plain: parsed('/', 'Host: shop.example'),
  'another host': parsed('/', 'Host: shop.examples'),
  'another case': parsed('/', 'Host: Shop.example'),
  'its own for': parsed('/', 'Host: shop.example', 'X-Forwarded-For: 10.0.0.1'),
  'its own proto': parsed('/', 'Host: shop.example', 'X-Forwarded-Proto: http'),
  'its own host': parsed('/', 'Host: shop.example', 'X-Forwarded-Host: outer.example'),
  absolute: parsed('http://abs.example/', 'Host: shop.example'),
};

test('the lines name the client, its protocol and its host', () => {
  expect(fresh(HEADS.plain, SETTINGS)).toBe(
    'x-forwarded-for: 192.0.2.7\r\nx-forwarded-proto: https\r\nx-forwarded-host: shop.example\r\n',
  );
  expect(fresh(HEADS['its own for'], SETTINGS)).toContain('x-forwarded-for: 10.0.0.1, 192.0.2.7\r\n');
  expect(fresh(HEADS.absolute, SETTINGS)).toContain('x-forwarded-host: abs.example\r\n');
});

test('what a connection remembers never shows in the lines of a request that is another', () => {
  const all: readonly ForwardingSettings[] = [
    SETTINGS,
    { ...SETTINGS, forwardedFor: 'set', forwardedProto: 'set', forwardedHost: 'set' },
    { ...SETTINGS, forwardedFor: 'off', forwardedProto: 'off', forwardedHost: 'off' },
  ];
  const lines = new ForwardedLines('192.0.2.7', 'https');
  for (const before of Object.values(HEADS))
    for (const after of Object.values(HEADS))
      for (const settings of all)
        for (const head of [before, after]) expect(lines.for(head, settings)).toBe(fresh(head, settings));
});

test('hosts that are as long as a head may be give the right lines, and are not kept', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 1000; i++) {
    const host = `${i}.`.padEnd(60_000, 'a');
    const lines = fresh(parsed('/', `Host: ${host}`), SETTINGS);
    expect(lines.endsWith(`x-forwarded-host: ${host}\r\n`)).toBe(true);
  }
  collect();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000);
});
