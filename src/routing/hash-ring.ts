/**
 * Consistent hashing (Karger et al. 1997): a key belongs to the first point at or behind its hash, and each endpoint
 * has so many points. When an endpoint leaves, its keys are spread over the others and no other key moves; the ring
 * depends on the names of the endpoints alone, so every sidecar and every worker has the same one. Pure.
 */

export interface RingMember {
  /** Its name on the ring. */
  readonly id: string;
  /** False: its keys go to those behind it, for as long as that lasts. */
  readonly isUsable: boolean;
}

/**
 * Points of each endpoint. 128 keep the shares of ten endpoints within about 25 % of each other; a fixed number, since
 * one that followed the count of endpoints would move keys that have nothing to do with who came or left.
 */
const POINTS = 128;

/** 2^32 over the golden ratio: what is mixed for the points of an endpoint differs in many bits. */
const POINT_STEP = 0x9e3779b9;

/** Packs a point and its owner into one exact double, so that sorting is that of numbers. */
const OWNERS_MAX = 2 ** 16;

export class HashRing<T extends RingMember> {
  readonly #members: readonly T[];
  readonly #hashes: Uint32Array;
  /** Of each point, the position in `#members`. */
  readonly #owners: Uint16Array;

  /** @param members At most 65,536, with different ids; in any order. */
  constructor(members: readonly T[]) {
    this.#members = [...members].sort((a, b) => (a.id < b.id ? -1 : 1));
    const points = new Float64Array(members.length * POINTS);
    for (const [owner, { id }] of this.#members.entries()) {
      const name = hashOf(id);
      for (let point = 0; point < POINTS; point++)
        points[owner * POINTS + point] = mix(name + Math.imul(point, POINT_STEP)) * OWNERS_MAX + owner;
    }
    points.sort();
    this.#hashes = new Uint32Array(points.length);
    this.#owners = new Uint16Array(points.length);
    for (let at = 0; at < points.length; at++) {
      this.#hashes[at] = Math.floor(points[at]! / OWNERS_MAX);
      this.#owners[at] = points[at]! % OWNERS_MAX;
    }
  }

  /** Whose `key` is, of those that are usable and not `avoided`; null: there is none. */
  find(key: string, avoided: T | null): T | null {
    const { length } = this.#hashes;
    const start = this.#firstFrom(hashOf(key));
    for (let step = 0; step < length; step++) {
      const member = this.#members[this.#owners[(start + step) % length]!]!;
      if (member.isUsable && member !== avoided) return member;
    }
    return null;
  }

  /** Position of the first point that is not below `hash`. */
  #firstFrom(hash: number): number {
    let low = 0;
    let high = this.#hashes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#hashes[middle]! < hash) low = middle + 1;
      else high = middle;
    }
    return low === this.#hashes.length ? 0 : low;
  }
}

/** FNV-1a over the UTF-16 code units, mixed: alone it leaves similar keys together. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash);
}

/** The finaliser of MurmurHash3. */
function mix(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
