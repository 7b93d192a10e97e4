/**
 * The wire suite: every case of test/wire/*.md, on the codec alone (whole, cut at every byte, in single bytes, and
 * glued to its neighbours) and through the real data plane over sockets (whole and byte by byte).
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { everyCut } from '../support/http1.ts';
import { canonical, parseWireFile, type WireCase, wireCases } from '../support/wire.ts';
import { expectedUpstream, runRequest, runResponse } from '../support/wire-codec.ts';
import { isClosing, methodsOf, type SocketResult, WireStage } from '../support/wire-sockets.ts';

const NEIGHBOUR = 'GET /neighbour HTTP/1.1\r\nHost: neighbour\r\n\r\n';

/** Every byte; of a message as long as this, every 16th. */
const LONG_BYTES = 4096;
function cutsOf(bytes: Buffer): number[] {
  return everyCut(bytes.length).filter((cut) => bytes.length < LONG_BYTES || cut % 16 === 0);
}

const cases = wireCases();

/** A refusal that the request itself earns, not the upstream's answer to it. */
const requestRefusal = ({ refusal, response }: WireCase) =>
  refusal === null || response !== null ? null : refusal.code;

/** The exchange has no say in what becomes of the request. */
function isDecidedByCodec({ isEarly, isTakenByCodec }: WireCase): boolean {
  return !isEarly && !isTakenByCodec;
}

/** Whether a 101 was asked for, what a broken-off or missing response is worth, and what bytes behind it cost. */
function isDecidedBehindCodec(wireCase: WireCase, { statuses }: { readonly statuses: readonly number[] }) {
  const { isBrokenOff, isUpstreamDropped, refusal } = wireCase;
  return statuses.includes(101) || isBrokenOff || isUpstreamDropped || refusal?.code === 'upstream_reset';
}

describe('the wire suite', () => {
  it('has at least 280 cases, each with a name of its own', () => {
    expect(cases.length).toBeGreaterThanOrEqual(280);
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
      `## a\n${request}\`\`\`http client\nx\\|y\n\`\`\`\nRefused with 400 x.`,
    ]) {
      expect(() => parseWireFile('x.md', text)).toThrow('x.md:1');
    }
  });
});

describe.each(cases)('$name', (wireCase) => {
  it('on the codec', () => {
    const { request } = wireCase;
    const whole = runRequest(request);
    const expected = isDecidedByCodec(wireCase)
      ? { messages: expectedUpstream(wireCase), refusal: requestRefusal(wireCase) }
      : whole;
    expect(whole).toEqual(expected);
    if (wireCase.isTakenByCodec) expect(whole.refusal).toBeNull();
    expect(runRequest(request, everyCut(request.length))).toEqual(expected);
    for (const cut of cutsOf(request)) expect(runRequest(request, [cut])).toEqual(expected);
  });
});

describe.each(cases.filter(isDecidedByCodec))('$name', (wireCase) => {
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
    if (!isDecidedBehindCodec(wireCase, whole)) expect(whole.refusal).toBe(wireCase.refusal?.code ?? null);
    for (const cut of cutsOf(bytes)) expect(runResponse(wireCase, [cut])).toEqual(whole);
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
  expect(result.isInTime).toBe(true);
  if (wireCase.isUpstreamKept) expect(result).toMatchObject({ connections: 1, isLeft: false });
  if (wireCase.isUpstreamDropped)
    expect(result).toMatchObject({ connections: result.upstream.length, isLeft: true });
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
  // An answer to HEAD has no body that could say more.
  const code = methodsOf(wireCase)[passed] === 'HEAD' ? '' : `"code":"${refusal.code}"`;
  expect(messages[passed]).toMatch(new RegExp(`^HTTP/1.1 ${refusal.status} [^]*${code}`));
}
