/**
 * YAML text to plain values, with the place of everything. Pure.
 *
 * Stricter than YAML: one document, no duplicate keys, no tags, no keys that are not text, no cycles. Anchors and
 * aliases work, but what they expand to is counted, so that a few lines cannot become gigabytes.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
} from 'yaml';
import type { ConfigPath } from './issue.ts';

export interface YamlProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export interface YamlText {
  /** Plain objects (without prototype), arrays and scalars; null for an empty file or when there are problems. */
  readonly value: unknown;
  readonly problems: readonly YamlProblem[];
  /** Where the value at `path` is, or the nearest thing above it. `key`: the place of the key rather than the value. */
  locate(path: ConfigPath, what?: 'key' | 'value'): { line: number; column: number };
}

/** A file of 100,000 routes has some 10 MB; beyond that somebody made a mistake. */
const TEXT_MAX_CHARACTERS = 16 * 1024 * 1024;
/** Values after aliases are expanded. */
const VALUES_MAX = 2_000_000;
/** Values that come from aliases: enough for settings that are shared, too few for a bomb. */
const ALIASED_VALUES_MAX = 10_000;
const DEPTH_MAX = 32;
/** Names that every object of the language has: a value under one of them would be mistaken for its own. */
const RESERVED = new Set(['__proto__', 'constructor', 'prototype']);
/** Errors of syntax cascade: the first few are the ones to read. */
const SYNTAX_PROBLEMS_MAX = 5;

/** Parses one file. Never throws. */
export function parseYaml(text: string): YamlText {
  if (text.length > TEXT_MAX_CHARACTERS) {
    return failed(`the file has ${text.length} characters, more than ${TEXT_MAX_CHARACTERS}`);
  }
  const lineCounter = new LineCounter();
  const document = parseDocument(text, {
    lineCounter,
    prettyErrors: false,
    uniqueKeys: true,
    version: '1.2',
    schema: 'core',
    merge: true,
    stringKeys: false,
  });
  const problemAt = (offset: number, message: string): YamlProblem => {
    const { line, col } = lineCounter.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col), message };
  };
  const syntax = [...document.errors, ...document.warnings];
  if (syntax.length > 0) {
    const problems = syntax
      .slice(0, SYNTAX_PROBLEMS_MAX)
      .map((error) => problemAt(error.pos[0], syntaxMessage(error)));
    return { value: null, problems, locate: () => ({ line: 1, column: 1 }) };
  }
  const reader = new Reader(document, problemAt);
  const value = document.contents === null ? null : reader.read(document.contents as Node, 0, false);
  return {
    value: reader.problems.length === 0 ? value : null,
    problems: reader.problems,
    locate(path, what = 'value') {
      const { line, column } = problemAt(locateOffset(document, path, what), '');
      return { line, column };
    },
  };
}

function failed(message: string): YamlText {
  return { value: null, problems: [{ line: 1, column: 1, message }], locate: () => ({ line: 1, column: 1 }) };
}

function syntaxMessage(error: { code: string; message: string }): string {
  if (error.code === 'DUPLICATE_KEY') return 'this key is given twice in one map; keep one of them';
  if (error.code === 'MULTIPLE_DOCS')
    return 'the file holds more than one YAML document; keep one, without ---';
  if (error.code === 'TAG_RESOLVE_FAILED') return `tags are not supported here (${error.message})`;
  if (error.code === 'TAB_AS_INDENT') return 'tabs cannot indent YAML; use spaces';
  return `not valid YAML: ${error.message}`;
}

/** Walks the nodes once, counting. Stops at the first problem of a kind that would repeat. */
class Reader {
  readonly problems: YamlProblem[] = [];
  readonly #document: Document;
  readonly #problemAt: (offset: number, message: string) => YamlProblem;
  /** Nodes that are being read: an alias to one of them is a cycle. */
  readonly #open = new Set<Node>();
  #values = 0;
  #aliasedValues = 0;

  constructor(document: Document, problemAt: (offset: number, message: string) => YamlProblem) {
    this.#document = document;
    this.#problemAt = problemAt;
  }

  read(node: Node, depth: number, isAliased: boolean): unknown {
    if (this.problems.length > 0) return null;
    this.#values++;
    if (isAliased) this.#aliasedValues++;
    if (this.#values > VALUES_MAX) return this.#refuse(node, `the file holds more than ${VALUES_MAX} values`);
    if (this.#aliasedValues > ALIASED_VALUES_MAX) {
      return this.#refuse(
        node,
        `aliases expand to more than ${ALIASED_VALUES_MAX} values; write them out or share less`,
      );
    }
    if (depth > DEPTH_MAX) return this.#refuse(node, `nested more than ${DEPTH_MAX} deep`);
    if (isAlias(node)) return this.#readAlias(node, depth);
    if (node.tag !== undefined && !node.tag.startsWith('tag:yaml.org,2002:')) {
      return this.#refuse(node, `tags are not supported here (${node.tag})`);
    }
    if (isScalar(node)) return typeof node.value === 'bigint' ? Number(node.value) : node.value;
    this.#open.add(node);
    const value = isMap(node)
      ? this.#readMap(node.items, depth, isAliased)
      : this.#readList(node, depth, isAliased);
    this.#open.delete(node);
    return value;
  }

  #readAlias(node: Node, depth: number): unknown {
    const target = isAlias(node) ? node.resolve(this.#document) : undefined;
    if (target === undefined) return this.#refuse(node, 'this alias has no anchor before it');
    if (this.#open.has(target)) return this.#refuse(node, 'this alias points to something that holds it');
    return this.read(target, depth, true);
  }

  #readList(node: Node, depth: number, isAliased: boolean): unknown {
    if (!isSeq(node)) return this.#refuse(node, 'this kind of YAML value is not supported');
    return node.items.map((item) => (item === null ? null : this.read(item as Node, depth + 1, isAliased)));
  }

  #readMap(items: readonly Pair[], depth: number, isAliased: boolean): unknown {
    const value: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    const merged: unknown[] = [];
    for (const pair of items) {
      const key = pair.key as Node;
      const text = keyText(key);
      if (text === null) return this.#refuse(key, 'a key must be plain text');
      if (RESERVED.has(text)) return this.#refuse(key, 'this name is not allowed');
      const read = pair.value === null ? null : this.read(pair.value as Node, depth + 1, isAliased);
      if (text === '<<') merged.push(...(Array.isArray(read) ? read : [read]));
      else value[text] = read;
    }
    for (const source of merged) {
      if (typeof source !== 'object' || source === null || Array.isArray(source)) {
        return this.problems.length > 0
          ? null
          : this.#refuse(items[0]?.key as Node, '<< takes an alias of a map');
      }
      for (const [key, part] of Object.entries(source)) if (!Object.hasOwn(value, key)) value[key] = part;
    }
    return value;
  }

  #refuse(node: Node | null | undefined, message: string): null {
    if (this.problems.length === 0) this.problems.push(this.#problemAt(node?.range?.[0] ?? 0, message));
    return null;
  }
}

/** Keys such as `1` or `true` are names too: the text as it was written. */
function keyText(key: Node | null): string | null {
  if (!isScalar(key)) return null;
  if (typeof key.value === 'string') return key.value;
  if (typeof key.value === 'symbol') return '<<';
  return key.source ?? (key.value === null ? null : String(key.value));
}

function locateOffset(document: Document, path: ConfigPath, what: 'key' | 'value'): number {
  let node = document.contents as Node | null;
  let offset = node?.range?.[0] ?? 0;
  for (const [index, step] of path.entries()) {
    const pair = child(document, node, step);
    if (pair === null) break;
    const isLast = index === path.length - 1;
    const keyOffset = pair.key?.range?.[0];
    const valueOffset = pair.value?.range?.[0];
    offset = (isLast && what === 'key' ? keyOffset : valueOffset) ?? valueOffset ?? keyOffset ?? offset;
    node = pair.value;
  }
  return offset;
}

function child(
  document: Document,
  parent: Node | null,
  step: string | number,
): { key: Node | null; value: Node | null } | null {
  const node = isAlias(parent) ? (parent.resolve(document) ?? null) : parent;
  if (isSeq(node) && typeof step === 'number') {
    const item = node.items[step];
    return item === undefined ? null : { key: null, value: item as Node | null };
  }
  if (!isMap(node)) return null;
  const pair = node.items.find((item) => keyText(item.key as Node) === String(step));
  if (pair !== undefined) return { key: pair.key as Node, value: pair.value as Node | null };
  for (const item of node.items) {
    if (keyText(item.key as Node) !== '<<') continue;
    const sources = isSeq(item.value) ? item.value.items : [item.value];
    for (const source of sources) {
      const found = child(document, source as Node, step);
      if (found !== null) return found;
    }
  }
  return null;
}
