import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EventReader } from '../../../page/data/sse.ts';

const STREAM =
  ': hello\n\nevent: stats\ndata: {"at":1}\n\nevent: audit\r\ndata: one\r\ndata: two\r\n\r\nid: 7\ndata:bare\n\nevent: nothing\n\n';
const EVENTS = [
  { name: 'stats', data: '{"at":1}' },
  { name: 'audit', data: 'one\ntwo' },
  { name: 'message', data: 'bare' },
];

test('events are read with their names, comments and events without data are not', () => {
  expect(new EventReader().push(STREAM)).toEqual(EVENTS);
});

test('however the text is cut, the events are the same', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(STREAM.length), { maxLength: 12 }), (cuts) => {
      const places = [0, ...cuts.toSorted((a, b) => a - b), STREAM.length];
      const reader = new EventReader();
      const pieces = places.slice(1).map((end, index) => STREAM.slice(places[index], end));
      expect(pieces.flatMap((piece) => reader.push(piece))).toEqual(EVENTS);
    }),
  );
});

test('an event without an end is not kept for ever', () => {
  const reader = new EventReader();
  const piece = `data: ${'x'.repeat(1024 * 1024)}\n`;
  expect(() => {
    for (let pieces = 0; pieces < 10; pieces++) reader.push(piece);
  }).toThrow(RangeError);
});
