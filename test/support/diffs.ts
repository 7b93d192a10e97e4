/** Answers to mirrored requests, short to write. */
import type { Answer, CompareRules } from '../../src/analysis/diff/diff-answers.ts';
import { DiffRecord } from '../../src/analysis/diff/diff-record.ts';

export const PLAIN_RULES: CompareRules = { headers: null, ignoreHeaders: [], ignorePaths: [] };

/** A 200 with this body as JSON. */
export function answerOf(body: unknown, more: Partial<Answer> = {}): Answer {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return {
    status: 200,
    problem: '',
    headers: new Map(),
    body: text,
    hash: `hash of ${text}`,
    bytes: text.length,
    ms: 1,
    ...more,
  };
}

export const NO_ANSWER: Answer = answerOf('', { status: 0, problem: 'upstream_reset', body: null, hash: '' });

export function recordOf(rules: Partial<CompareRules> = {}, hasSamples = false): DiffRecord {
  const digest = (text: string) => `#${text.length}`;
  return new DiffRecord({ rules: { ...PLAIN_RULES, ...rules }, digest, hasSamples, sinceMs: 0 });
}

/** Counts the answers to one request. */
export function addTo(
  record: DiffRecord,
  { control, again, candidate }: Readonly<Record<'control' | 'again' | 'candidate', Answer>>,
  where = WHERE,
) {
  const noise = record.compare(control, again);
  const differences = record.compare(control, candidate);
  return record.add({ noise, differences, again, candidate }, where);
}

export const WHERE = { at: '2026-11-21T10:00:00.000Z', route: 'api' };
