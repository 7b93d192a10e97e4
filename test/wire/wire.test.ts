/**
 * The wire suite: every case of test/wire/*.md, on the codec alone (whole, cut at every byte, in single bytes, and
 * glued to its neighbours) and through the real data plane over sockets (whole and byte by byte).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { everyCut } from '../support/http1.ts';
import { canonical, parseWireFile, type WireCase } from '../support/wire.ts';
import { expectedUpstream, runRequest, runResponse } from '../support/wire-codec.ts';
import { isClosing, methodsOf, type SocketResult, WireStage } from '../support/wire-sockets.ts';

const FOLDER = import.meta.dirname;
const NEIGHBOUR = 'GET /neighbour HTTP/1.1\r\nHost: neighbour\r\n\r\n';

const cases = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.md') && name !== 'README.md')
  .sort()
  .flatMap((name) => parseWireFile(name, readFileSync(join(FOLDER, name), 'utf8')));

/** A refusal that the request itself earns, not the upstream's answer to it. */
const requestRefusal = ({ refusal, response }: WireCase) =>
  refusal === null || response !== null ? null : refusal.code;

describe('the wire suite', () => {
  it('has at least 120 cases, each with a name of its own', () => {
    expect(cases.length).toBeGreaterThanOrEqual(120);
    expect(new Set(cases.map(({ title }) => title)).size).toBe(cases.length);
  });

  it('refuses a file that is not in its format', () => {
    const request = '```http request\nGET / HTTP/1.1\\r\\n\n```\n';
    for (const text of [
      '## a\n',
      `## a\n${request}`,
      `## a\n${request}\`\`\`http\nx\n\`\`\`\n`,
      '## a\n```http request\n\\q\n```\nRefused with 400 x.',
      `## a\n${request}${request}`,
    ]) {
      expect(() => parseWireFile('x.md', text)).toThrow('x.md:1');
    }
  });
});

describe.each(cases)('$name', (wireCase) => {
  it('on the codec', () => {
    const { request } = wireCase;
    const expected = { messages: expectedUpstream(wireCase), refusal: requestRefusal(wireCase) };
    expect(runRequest(request)).toEqual(expected);
    expect(runRequest(request, everyCut(request.length))).toEqual(expected);
    for (const cut of everyCut(request.length)) expect(runRequest(request, [cut])).toEqual(expected);
  });

  it('glued to its neighbours', () => {
    const expected = { messages: expectedUpstream(wireCase), refusal: requestRefusal(wireCase) };
    const after = expected.refusal === null ? [NEIGHBOUR] : [];
    const bytes = Buffer.concat([Buffer.from(NEIGHBOUR), wireCase.request, Buffer.from(after.join(''))]);
    const glued = { messages: [NEIGHBOUR, ...expected.messages, ...after], refusal: expected.refusal };
    expect(runRequest(bytes)).toEqual(glued);
    expect(runRequest(bytes, everyCut(bytes.length))).toEqual(glued);
  });
});

describe.each(cases.filter(({ response }) => response !== null))('the response of $name', (wireCase) => {
  it('on the codec', () => {
    const bytes = wireCase.response!;
    const whole = runResponse(wireCase);
    // Whether a 101 was asked for, and what a broken-off body is worth, is the exchange's business.
    const isExchangeRefusal = whole.statuses.includes(101) || wireCase.isBrokenOff;
    if (!isExchangeRefusal) expect(whole.refusal).toBe(wireCase.refusal?.code ?? null);
    for (const cut of everyCut(bytes.length)) expect(runResponse(wireCase, [cut])).toEqual(whole);
    expect(runResponse(wireCase, everyCut(bytes.length))).toEqual(whole);
  });
});

describe('through the sidecar', () => {
  const stage = new WireStage();
  beforeAll(() => stage.open());
  afterAll(() => stage.close());

  it.each(cases)('$name', async (wireCase) => {
    check(wireCase, await stage.run(wireCase, false));
    check(wireCase, await stage.run(wireCase, true));
  });
});

function check(wireCase: WireCase, result: SocketResult): void {
  const { messages, rest } = canonical(result.client, {
    methods: methodsOf(wireCase),
    isEnded: result.isClosed && !wireCase.isBrokenOff,
  });
  expect(result.upstream).toEqual(expectedUpstream(wireCase));
  expect({ isClosed: result.isClosed, client: result.client }).toMatchObject({
    isClosed: isClosing(wireCase),
  });
  const { refusal } = wireCase;
  if (wireCase.client !== null) {
    const expected = canonical(wireCase.client, {
      methods: methodsOf(wireCase),
      isEnded: !wireCase.isBrokenOff,
    });
    expect(messages).toEqual(expected.messages);
    if (wireCase.isBrokenOff) expect(rest).not.toBe('');
    else expect(rest).toBe(expected.rest);
    return;
  }
  expect(rest).toBe('');
  const passed = refusal !== null && wireCase.response !== null ? 0 : methodsOf(wireCase).length;
  expect(messages.slice(0, passed).map((message) => message.slice(0, 15))).toEqual(
    Array(passed).fill('HTTP/1.1 200 OK'),
  );
  if (refusal === null) return expect(messages).toHaveLength(passed) as undefined;
  expect(messages).toHaveLength(passed + 1);
  expect(messages[passed]).toMatch(new RegExp(`^HTTP/1.1 ${refusal.status} [^]*"code":"${refusal.code}"`));
}
