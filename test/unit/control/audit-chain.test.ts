import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type AuditEntry,
  bytesHash,
  type ChainHead,
  NO_RECORDS,
  seal,
  TORN_ACTION,
  unseal,
} from '../../../src/control/audit-chain.ts';
import { ChainVerifier, type Finding } from '../../../src/control/audit-verifier.ts';

const entry = (text: string): AuditEntry & { at: string } => ({
  at: '2026-01-02T03:04:05.000Z',
  action: 'set-weights',
  target: 'ranking',
  actor: 'operator:alice',
  reason: text,
  result: 'done',
  before: '10%',
  after: '25%',
  inputs: { samples: 1200, limit: 0.05 },
});

/** The lines of a chain, each with its "\n", and its head. */
function chain(reasons: readonly string[], key: string | null): { lines: string[]; heads: ChainHead[] } {
  const heads = [NO_RECORDS];
  const lines = reasons.map((reason) => {
    const { line, head } = seal(entry(reason), heads.at(-1)!, key);
    heads.push(head);
    return line;
  });
  return { lines, heads };
}

/** What is found in the bytes of one file. */
function verify(bytes: Buffer, key: string | null, known: ChainHead | null = null) {
  const findings: Finding[] = [];
  const verifier = new ChainVerifier({ key, known, onFinding: (finding) => findings.push(finding) });
  let number = 0;
  for (let start = 0; start < bytes.length; ) {
    const feed = bytes.indexOf(0x0a, start);
    const end = feed < 0 ? bytes.length : feed;
    verifier.line('audit', ++number, bytes.subarray(start, end));
    start = end + 1;
  }
  verifier.end();
  const problems = findings.filter(({ kind }) => kind === 'problem');
  return { problems, notes: findings.filter(({ kind }) => kind === 'note'), ...verifier.summary };
}

const reasons = fc.array(fc.string({ unit: 'grapheme', maxLength: 40 }), { minLength: 2, maxLength: 12 });
const keys = fc.constantFrom(null, 'a key');

describe('a chain of records', () => {
  test('is as it was written, whatever is in it', () => {
    fc.assert(
      fc.property(reasons, keys, (texts, key) => {
        const { lines, heads } = chain(texts, key);
        const found = verify(Buffer.from(lines.join('')), key, heads.at(-1)!);
        expect(found).toMatchObject({ problems: [], notes: [], records: texts.length, head: heads.at(-1) });
      }),
    );
  });

  test('shows any single byte that was changed to any other', () => {
    fc.assert(
      fc.property(reasons, keys, fc.nat(), fc.integer({ min: 1, max: 255 }), (texts, key, at, flip) => {
        const bytes = Buffer.from(chain(texts, key).lines.join(''));
        const place = at % bytes.length;
        bytes[place] = bytes[place]! ^ flip;
        // The very last line feed is no part of a record; what came instead is.
        expect(verify(bytes, key).problems.length).toBeGreaterThan(0);
      }),
      { numRuns: 2000 },
    );
  });

  test('shows every flipped bit of every byte of a short one', () => {
    const bytes = Buffer.from(chain(['one', 'two'], null).lines.join(''));
    for (let place = 0; place < bytes.length; place++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = Buffer.from(bytes);
        changed[place] = changed[place]! ^ (1 << bit);
        expect(verify(changed, null).problems, `bit ${bit} of byte ${place}`).not.toEqual([]);
      }
    }
  });

  test('shows a record that was taken out, but for the last ones, which the head that was kept shows', () => {
    fc.assert(
      fc.property(reasons, keys, fc.nat(), (texts, key, at) => {
        const { lines, heads } = chain(texts, key);
        const gone = at % lines.length;
        const rest = Buffer.from(lines.filter((_, index) => index !== gone).join(''));
        const isEnd = gone === lines.length - 1;
        const isBegin = gone === 0;
        const found = verify(rest, key);
        expect(found.problems.length > 0).toBe(!isEnd && !isBegin);
        if (isBegin) expect(found.notes[0]?.message).toContain('begins at record 2');
        if (isEnd) expect(verify(rest, key, heads.at(-1)!).problems[0]?.message).toContain('is not there');
      }),
    );
  });

  test('shows records in another order, and one that is there twice', () => {
    fc.assert(
      fc.property(reasons, keys, fc.nat(), fc.nat(), (texts, key, first, second) => {
        const { lines } = chain(texts, key);
        const [left, right] = [first % lines.length, second % lines.length];
        const swapped = [...lines];
        [swapped[left], swapped[right]] = [swapped[right]!, swapped[left]!];
        expect(verify(Buffer.from(swapped.join('')), key).problems.length > 0).toBe(left !== right);
        const doubled = [...lines.slice(0, left + 1), ...lines.slice(left)];
        expect(verify(Buffer.from(doubled.join('')), key).problems).not.toEqual([]);
      }),
    );
  });

  test('shows an end that is cut off inside a record, at each place', () => {
    const { lines } = chain(['one', 'two', 'three'], null);
    const whole = Buffer.from(lines.join(''));
    const last = Buffer.byteLength(lines.at(-1)!);
    for (let cut = 2; cut < last; cut++)
      expect(verify(whole.subarray(0, whole.length - cut), null).problems, `${cut} bytes`).toHaveLength(1);
  });

  test('shows a record put in by somebody who has no key, and a chain made anew without it', () => {
    const { lines, heads } = chain(['one', 'two', 'three'], 'a key');
    const forged = seal(entry('forged'), heads[1]!, 'another key').line;
    const withForged = Buffer.from([lines[0], forged, ...lines.slice(2)].join(''));
    expect(verify(withForged, 'a key').problems.map(({ line }) => line)).toContain(2);
    const anew = Buffer.from(chain(['one', 'other', 'three'], null).lines.join(''));
    expect(verify(anew, 'a key').problems).toHaveLength(3);
    expect(verify(Buffer.from(lines.join('')), null).problems[0]?.message).toContain('needed to verify');
  });

  test('shows a chain made anew without a key by the head that was kept', () => {
    const { heads } = chain(['one', 'two', 'three'], null);
    const anew = Buffer.from(chain(['one', 'other', 'three'], null).lines.join(''));
    expect(verify(anew, null).problems).toEqual([]);
    expect(verify(anew, null, heads[2]!).problems[0]?.message).toContain('another one than the head');
  });

  test('takes the mark of a start for what was not written to its end, and for nothing else', () => {
    const { lines, heads } = chain(['one', 'two', 'three'], null);
    const marked = (torn: string) => {
      const inputs = { bytes: torn.length, sha256: bytesHash(Buffer.from(`${torn}\n`)) };
      const mark = seal({ ...entry('killed'), action: TORN_ACTION, inputs }, heads[1]!, null).line;
      return { text: (found: string) => Buffer.from(`${lines[0]}${found}\n${mark}`) };
    };
    const torn = lines[1]!.slice(0, 50);
    expect(verify(marked(torn).text(torn), null)).toMatchObject({ problems: [], notes: [{ line: 2 }] });
    expect(verify(marked(torn).text(`${torn.slice(0, -1)}x`), null).problems).toHaveLength(1);
    // A whole record that was changed is no torn one, whatever the mark says.
    const changed = lines[1]!.trimEnd().replace('25%', '95%');
    expect(verify(marked(changed).text(changed), null).problems).toHaveLength(1);
  });

  test('cuts texts and inputs that are too long, and says so', () => {
    const { line } = seal(
      { ...entry('x'.repeat(5000)), inputs: { all: 'y'.repeat(9000) } },
      NO_RECORDS,
      null,
    );
    const found = unseal(Buffer.from(line.trimEnd()), null);
    expect(found).toMatchObject({
      ok: true,
      record: { inputs: { cut: '9010 characters of inputs are too many' } },
    });
    expect(line.length).toBeLessThan(3000);
  });
});
