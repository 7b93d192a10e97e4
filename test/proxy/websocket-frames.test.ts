/** Following frames without reading them: where they end, however the bytes are cut, and when to give up. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameFollower, goingAwayFrame } from '../../src/proxy/websocket.ts';
import { closeFrame, type Frame, frame, framesIn, Opcode } from '../support/websocket.ts';

function bytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** Follows `text` and answers the follower. */
function followed(text: string, isMasked = false): FrameFollower {
  const follower = new FrameFollower(isMasked);
  follower.follow(bytes(text), 0, text.length);
  return follower;
}

const frameArbitrary: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    opcode: fc.constantFrom<number>(Opcode.text, Opcode.binary, Opcode.continuation),
    payload: fc.oneof(
      { weight: 4, arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 130 }) },
      { weight: 1, arbitrary: fc.constantFrom(126, 127, 65_535, 65_536).map((length) => 'x'.repeat(length)) },
    ),
    isFin: fc.boolean(),
  }),
  fc.record({
    opcode: fc.constantFrom<number>(Opcode.ping, Opcode.pong),
    payload: fc.string({ unit: 'binary-ascii', maxLength: 125 }),
  }),
);

describe('following frames', () => {
  it.each([false, true])('finds the end of each, however they are cut (masked: %s)', (isMasked) => {
    fc.assert(
      fc.property(
        fc.array(frameArbitrary, { maxLength: 6 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 99 })),
        (frames, cuts) => {
          const wire = bytes(frames.map((one) => frame(one, isMasked)).join(''));
          const ends = new Set([0]);
          let total = 0;
          for (const one of frames) {
            total += frame(one, isMasked).length;
            ends.add(total);
          }
          const follower = new FrameFollower(isMasked);
          for (let at = 0; at < wire.length; ) {
            const end = Math.min(wire.length, at + cuts.next().value);
            follower.follow(wire, at, end);
            expect(follower.isAtBoundary).toBe(ends.has(end));
            at = end;
          }
          expect([follower.isLost, follower.hasClose]).toEqual([false, false]);
        },
      ),
      { numRuns: 300 },
    );
  });

  it.each([false, true])('finds the next boundary from anywhere (masked: %s)', (isMasked) => {
    const first = frame({ opcode: Opcode.text, payload: 'a'.repeat(300) }, isMasked);
    const wire = bytes(first + frame({ opcode: Opcode.ping, payload: '' }, isMasked));
    for (let cut = 1; cut < first.length; cut++) {
      const follower = new FrameFollower(isMasked);
      follower.follow(wire, 0, cut);
      expect(follower.followToBoundary(wire, cut, wire.length)).toBe(first.length);
    }
  });

  it('stays where it is when that is a boundary already', () => {
    const follower = new FrameFollower(false);
    expect(follower.followToBoundary(bytes('\x81\x01a'), 0, 3)).toBe(0);
  });

  it('knows a Close frame from its first byte, and that it is over from its last', () => {
    const close = closeFrame(4001, true);
    const begun = followed(close.slice(0, 1), true);
    expect([begun.hasClose, begun.isClosed]).toEqual([true, false]);
    expect(followed(close.slice(0, -1), true).isClosed).toBe(false);
    expect(followed(close, true).isClosed).toBe(true);
  });

  it('does not look at what follows a Close frame', () => {
    const follower = followed(`${closeFrame(1000, false)}GET / HTTP/1.1`);
    expect([follower.isClosed, follower.isLost]).toEqual([true, false]);
  });

  it('leaves the reserved bits to the extensions', () => {
    expect(followed('\xf1\x01a').isAtBoundary).toBe(true);
  });

  it.each([
    ['a reserved opcode', '\x83\x00', false],
    ['a reserved control opcode', '\x8b\x00', false],
    ['a mask on what a server sends', frame({ opcode: 1, payload: 'a' }, true), false],
    ['no mask on what a client sends', frame({ opcode: 1, payload: 'a' }, false), true],
    ['a fragmented ping', '\x09\x00', false],
    ['a ping that is too long', '\x89\x7e\x00\x7e', false],
    ['a length that no number holds', '\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00', false],
    ['another protocol', 'HTTP/1.1 200 OK\r\n\r\n', false],
  ])('gives up on %s', (_what, text, isMasked) => {
    const follower = followed(text, isMasked);
    expect([follower.isLost, follower.isAtBoundary]).toEqual([true, false]);
    expect(follower.followToBoundary(bytes('\x81\x01a'), 0, 3)).toBe(3);
  });

  it('follows what is not as short as it could be', () => {
    expect(followed('\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x01a').isAtBoundary).toBe(true);
  });
});

describe('the Close frame of our own', () => {
  it.each([
    [null, false],
    ['0fa95533', true],
  ])('says going away, masked by %s', (mask, isMasked) => {
    const text = goingAwayFrame(mask).toString('latin1');
    expect(framesIn(text)).toEqual([{ opcode: Opcode.close, isFin: true, payload: '\x03\xe9', isMasked }]);
    expect(followed(text, isMasked).isClosed).toBe(true);
  });
});
