/** Compares what the codec made of the bytes of one direction with what the reference makes of them. */
import type { Message, MessageReader } from './codec.ts';
import { type ReferenceMessage, referenceChunked } from './reference-http1.ts';

/** Limits above anything in the messages that are compared: the reference has none. */
export const UNLIMITED = {
  limits: { headMaxBytes: 65_536, targetMaxBytes: 8192, fieldsMax: 1000 },
  chunkLimits: { extensionMaxBytes: 65_536, trailerMaxBytes: 65_536 },
} as const;

/** What the two disagree about, or null. `text` is all that `reader` was given; `reference` reads one message. */
export function disagreement(
  reader: MessageReader,
  text: string,
  reference: (rest: string) => ReferenceMessage | null,
): string | null {
  let rest = text;
  for (const [i, message] of reader.messages.entries()) {
    const expected = reference(rest);
    if (expected === null) return `message ${i} is taken, the reference refuses it`;
    const about = headDisagreement(message, expected);
    if (about !== null) return `message ${i}: ${about}`;
    rest = rest.slice(expected.size);
    if (!message.isComplete)
      return isUnfinished(message, expected, rest) ? null : `message ${i} is not unfinished`;
    const bodyBytes = sizeOfBody(message, expected, rest);
    if (bodyBytes === null) return `message ${i} has another body`;
    rest = rest.slice(bodyBytes);
  }
  if (reference(rest) !== null) return 'the reference takes what is left';
  const isHeadThere = rest.includes('\r\n\r\n') && !rest.startsWith('\r\n');
  return reader.refusal === null && isHeadThere ? 'what is left is neither taken nor refused' : null;
}

function headDisagreement(message: Message, expected: ReferenceMessage): string | null {
  const kind = expected.body.split(' ')[0]!;
  if (message.bodyKind !== kind) return `the body is ${message.bodyKind}, not ${kind}`;
  if (!message.head.startsWith(`${expected.startLine}\r\n`)) return 'another start line';
  const hasSameFields =
    message.fields.length === expected.fields.length &&
    message.fields.every((field, i) => field === expected.fields[i]);
  return hasSameFields ? null : 'other fields';
}

function isUnfinished(message: Message, { body }: ReferenceMessage, rest: string): boolean {
  if (message.bodyKind === 'chunked') return referenceChunked(rest) === null;
  return message.bodyKind === 'untilClose'
    ? message.data === rest
    : rest.length < Number(body.split(' ')[1]) && message.data === rest;
}

/** Null: the bodies differ. */
function sizeOfBody(message: Message, { body }: ReferenceMessage, rest: string): number | null {
  if (body === 'none') return 0;
  if (body !== 'chunked') {
    const length = Number(body.split(' ')[1]);
    return message.data === rest.slice(0, length) ? length : null;
  }
  const expected = referenceChunked(rest);
  const isSame =
    expected !== null && message.data === expected.data && message.trailers === expected.trailers;
  return isSame ? expected.size : null;
}
