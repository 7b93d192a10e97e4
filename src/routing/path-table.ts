/**
 * The path patterns of a route table, as a trie in a few flat arrays. A request looks at a handful of neighbouring
 * numbers whatever the number of routes: with 10,000 of them a Map and an object at each segment would be a dozen reads
 * of memory that no cache holds. Built once, only read afterwards.
 *
 * Each node is a row of numbers. One that a literal leads to is found by a hash of the node before it and its segment;
 * literals of which nothing branches off are one node (`/x/y/z` alone is one). Nobody outside chooses what is in the
 * table, so a request cannot make it slow.
 */

/** The node before, plus 1; 0: the row is free. */
const PARENT = 0;
/** Of PARENT and the first segment of the label. */
const HASH = 1;
/** Where the label is in `#labels`, and how long it is. */
const LABEL = 2;
const LENGTH = 3;
/** How many literals lead on. */
const LITERALS = 4;
/** The node that a parameter leads to, 0: none. */
const PARAMETER = 5;
/** Routes that end exactly here, and those that take here and everything below; see `pick`. */
const EXACT = 6;
const PREFIX = 7;
/** Half a cache line. */
const ROW_LENGTH = 8;

const SLASH = 47;
/** That of FNV-1a. */
const HASH_FACTOR = 0x0100_0193;

/** No route. */
export const NOT_FOUND = -1;

/** A route that ends at a node. */
interface Leaf {
  /** Null: any method. */
  readonly method: string | null;
  readonly index: number;
}

/** A node while the table is built. */
export class PathNode {
  /** Literal children by segment. */
  readonly literals = new Map<string, PathNode>();
  parameter: PathNode | null = null;
  readonly exact: Leaf[] = [];
  readonly prefix: Leaf[] = [];

  literal(segment: string): PathNode {
    const known = this.literals.get(segment);
    if (known !== undefined) return known;
    const node = new PathNode();
    this.literals.set(segment, node);
    return node;
  }

  /** The only child, when there is nothing else to this node. */
  get only(): readonly [string, PathNode] | null {
    const isBare = this.parameter === null && this.exact.length === 0 && this.prefix.length === 0;
    if (!isBare || this.literals.size !== 1) return null;
    for (const entry of this.literals) return entry;
    return null;
  }
}

export class PathTable {
  readonly #rows: Int32Array;
  readonly #mask: number;
  /** ASCII, as the paths of routes are. */
  readonly #labels: Uint8Array;
  /** Where methods are told apart. */
  readonly #leaves: (readonly Leaf[])[] = [];

  /** @param roots what the first segments lead on from; `find` takes their positions in this list. */
  constructor(roots: readonly PathNode[]) {
    const count = roots.reduce((sum, root) => sum + countBelow(root), 0);
    // At most half full, so that what is not there is soon known not to be. What no literal leads to is behind that.
    const slots = 2 ** Math.ceil(Math.log2(2 * count + 1));
    this.#mask = slots - 1;
    this.#rows = new Int32Array((slots + count + roots.length) * ROW_LENGTH);
    const building: Building = { labels: [], labelBytes: 0, nextRow: slots + roots.length };
    for (const [index, root] of roots.entries()) this.#write(root, slots + index, building);
    this.#labels = Buffer.from(building.labels.join(''), 'latin1');
    Object.freeze(this);
  }

  /**
   * The index of the best route for a path, or `NOT_FOUND`.
   * @param path without the query; '' means `/`, and `*` is matched by what takes every path only
   */
  find(root: number, path: string, method: string): number {
    const row = this.#mask + 1 + root;
    if (path === '' || path === '/') return this.#walk(row, '/', 1, method);
    if (path.charCodeAt(0) !== SLASH) return this.#pick(row, PREFIX, method);
    return this.#walk(row, path, 1, method);
  }

  /**
   * The best route below `row` for the segments of `path` that begin at `start`; `start` past the end of the path means
   * that no segment is left. Backtracks from literals to parameters, so at most 2^depth nodes and never more than the
   * table has.
   */
  #walk(row: number, path: string, start: number, method: string): number {
    const rows = this.#rows;
    const at = row * ROW_LENGTH;
    if (start > path.length) {
      const exact = this.#pick(row, EXACT, method);
      return exact === NOT_FOUND ? this.#pick(row, PREFIX, method) : exact;
    }
    if (rows[at + LITERALS] !== 0) {
      const child = this.#child(row, path, start);
      if (child !== 0) {
        const next = start + rows[child * ROW_LENGTH + LENGTH]! + 1;
        const found = this.#walk(child, path, next, method);
        if (found !== NOT_FOUND) return found;
      }
    }
    const parameter = rows[at + PARAMETER]!;
    if (parameter !== 0) {
      const slash = path.indexOf('/', start);
      const end = slash === -1 ? path.length : slash;
      const found = end === start ? NOT_FOUND : this.#walk(parameter, path, end + 1, method);
      if (found !== NOT_FOUND) return found;
    }
    return this.#pick(row, PREFIX, method);
  }

  /** The row that the literal at `start` leads to; 0: none. */
  #child(parent: number, path: string, start: number): number {
    const rows = this.#rows;
    const hash = hashOf(parent, path, start);
    for (let row = this.#first(hash); ; row = this.#after(row)) {
      const at = row * ROW_LENGTH;
      if (rows[at + PARENT] === 0) return 0;
      if (rows[at + HASH] !== hash || rows[at + PARENT] !== parent + 1) continue;
      if (this.#isAt(rows[at + LABEL]!, rows[at + LENGTH]!, path, start)) return row;
    }
  }

  /** Whether the label is what `path` has at `start`, up to the end of a segment. */
  #isAt(label: number, length: number, path: string, start: number): boolean {
    const end = start + length;
    if (end > path.length || (end < path.length && path.charCodeAt(end) !== SLASH)) return false;
    const labels = this.#labels;
    for (let i = 0; i < length; i++) if (labels[label + i] !== path.charCodeAt(start + i)) return false;
    return true;
  }

  /** Row 0 is left free, since 0 says that there is none. */
  #first(hash: number): number {
    return hash & this.#mask || 1;
  }

  #after(row: number): number {
    return (row + 1) & this.#mask || 1;
  }

  /** The route of a row for a method. Above 0: the only one plus 1, for any method; below: which of `#leaves`, plus 1. */
  #pick(row: number, column: number, method: string): number {
    const route = this.#rows[row * ROW_LENGTH + column]!;
    return route >= 0 ? route - 1 : pick(this.#leaves[-route - 1]!, method);
  }

  // While it is built.

  #write(node: PathNode, row: number, building: Building): void {
    const rows = this.#rows;
    const at = row * ROW_LENGTH;
    rows[at + LITERALS] = node.literals.size;
    rows[at + EXACT] = this.#keep(node.exact);
    rows[at + PREFIX] = this.#keep(node.prefix);
    if (node.parameter !== null) {
      rows[at + PARAMETER] = building.nextRow++;
      this.#write(node.parameter, rows[at + PARAMETER]!, building);
    }
    for (const [segment, child] of node.literals) this.#enter(row, segment, child, building);
  }

  #enter(parent: number, segment: string, child: PathNode, building: Building): void {
    const rows = this.#rows;
    const hash = hashOf(parent, segment, 0);
    const { label, node } = unbranched(segment, child);
    let row = this.#first(hash);
    while (rows[row * ROW_LENGTH + PARENT] !== 0) row = this.#after(row);
    const at = row * ROW_LENGTH;
    rows[at + PARENT] = parent + 1;
    rows[at + HASH] = hash;
    rows[at + LABEL] = building.labelBytes;
    rows[at + LENGTH] = label.length;
    building.labels.push(label);
    building.labelBytes += label.length;
    this.#write(node, row, building);
  }

  #keep(leaves: readonly Leaf[]): number {
    if (leaves.length === 0) return 0;
    if (leaves[0]!.method === null && leaves.every(({ method }) => method === null))
      return leaves[0]!.index + 1;
    return -this.#leaves.push(leaves);
  }
}

interface Building {
  readonly labels: string[];
  labelBytes: number;
  /** For what no literal leads to. */
  nextRow: number;
}

/** From `start` to the end of the segment. */
function hashOf(parent: number, path: string, start: number): number {
  let hash = parent;
  for (let i = start; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code === SLASH) break;
    hash = Math.imul(hash ^ code, HASH_FACTOR);
  }
  // The low bits choose the row, and those of a product know nothing of the high bits of what was multiplied.
  return hash ^ (hash >>> 15);
}

function pick(leaves: readonly Leaf[], method: string): number {
  let any = NOT_FOUND;
  for (const leaf of leaves) {
    if (leaf.method === method) return leaf.index;
    if (leaf.method === null && any === NOT_FOUND) any = leaf.index;
  }
  return any;
}

function countBelow({ literals, parameter }: PathNode): number {
  let count = parameter === null ? 0 : 1 + countBelow(parameter);
  for (const [segment, child] of literals) count += 1 + countBelow(unbranched(segment, child).node);
  return count;
}

/** Where a literal leads when segments are taken together up to the first node that is more than a step on the way. */
function unbranched(segment: string, child: PathNode): { readonly label: string; readonly node: PathNode } {
  let label = segment;
  let node = child;
  for (let only = node.only; only !== null; only = node.only) {
    label += `/${only[0]}`;
    node = only[1];
  }
  return { label, node };
}
