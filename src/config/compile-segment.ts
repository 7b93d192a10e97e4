/**
 * Declared segments to those that targeting rules use. Pure: files of hashed ids have been read by then. A value is
 * hashed for the rule that asks for it and for no other: one to two microseconds, with a key twice that.
 */
import { createHmac, hash } from 'node:crypto';
import type { Segment, Segments } from '../experiment/segment.ts';
import { compileTargeting } from '../experiment/targeting.ts';
import { hasHash } from './hashed-ids.ts';
import type { SegmentConfig } from './schema-segment.ts';
import { rulesIn } from './targeting-rules.ts';

/** @param config With its files read in; a file that was not read has nobody in it. No segment is made of itself. */
export function compileSegments(config: Readonly<Record<string, SegmentConfig>>): Segments {
  const segments = new Map<string, Segment>();
  const add = (name: string): void => {
    const declared = Object.hasOwn(config, name) ? config[name] : undefined;
    if (declared === undefined || segments.has(name)) return;
    // Its rules may name segments that come later in the file.
    for (const { rule } of rulesIn(declared.rules ?? [], []))
      if (rule.segment !== undefined) add(rule.segment);
    segments.set(name, compileSegment(name, declared, segments));
  };
  for (const name of Object.keys(config)) add(name);
  return segments;
}

function compileSegment(name: string, config: SegmentConfig, segments: Segments): Segment {
  const { rules, values, hashedFile, key } = config;
  if (rules !== undefined) {
    return { kind: 'rules', name, clauses: rules.map((rule) => compileTargeting(rule, segments)) };
  }
  if (values !== undefined) {
    const ids = new Set(values);
    return { kind: 'ids', name, has: (id) => ids.has(id) };
  }
  const table = hashedFile?.ids ?? new Uint32Array();
  const hashOf =
    key === undefined
      ? (id: string) => hash('sha256', id, 'binary')
      : (id: string) => createHmac('sha256', key).update(id).digest('binary');
  return {
    kind: 'ids',
    name,
    has(id) {
      const bytes = hashOf(id);
      return hasHash(table, wordAt(bytes, 0), wordAt(bytes, 4));
    },
  };
}

/** Four bytes, one a character, as an unsigned number. */
function wordAt(bytes: string, at: number): number {
  const high = (bytes.charCodeAt(at) << 8) | bytes.charCodeAt(at + 1);
  const low = (bytes.charCodeAt(at + 2) << 8) | bytes.charCodeAt(at + 3);
  return ((high << 16) | low) >>> 0;
}
