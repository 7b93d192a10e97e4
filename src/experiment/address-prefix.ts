/**
 * The prefix of an IP address as text, `192.0.2.0/24` or `2001:db8:1:200::/56`: one text for one network, however
 * the address was written (RFC 5952). Pure.
 */

/**
 * @param bits4 1 to 32, for IPv4 and for IPv4 in IPv6 (`::ffff:192.0.2.1`)
 * @param bits6 1 to 128; a zone (`%eth0`) is left out
 * @returns null for what is no address
 */
export function addressPrefix(address: string, bits4: number, bits6: number): string | null {
  const groups = address.includes(':') ? groups6(address) : null;
  const v4 = groups === null ? groups4(address) : mapped(groups);
  if (v4 !== null) {
    const [high = 0, low = 0] = masked(v4, bits4);
    return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}/${bits4}`;
  }
  return groups === null ? null : `${formatted(masked(groups, bits6))}/${bits6}`;
}

/** Two groups of 16 bits, or null. */
function groups4(address: string): number[] | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address);
  if (match === null) return null;
  const [a = 0, b = 0, c = 0, d = 0] = match.slice(1).map(Number);
  return Math.max(a, b, c, d) > 255 ? null : [(a << 8) | b, (c << 8) | d];
}

/** Eight groups of 16 bits, or null. */
function groups6(address: string): number[] | null {
  const zone = address.indexOf('%');
  const bare = zone === -1 ? address : address.slice(0, zone);
  const halves = bare.split('::');
  if (halves.length > 2) return null;
  const [head, tail] = halves.map(half);
  if (head == null || tail === null) return null;
  if (tail === undefined) return head.length === 8 ? head : null;
  const gap = 8 - head.length - tail.length;
  return gap < 1 ? null : [...head, ...new Array<number>(gap).fill(0), ...tail];
}

function half(text: string): number[] | null {
  if (text === '') return [];
  const groups: number[] = [];
  for (const piece of text.split(':')) {
    const v4 = piece.includes('.') ? groups4(piece) : null;
    if (v4 !== null) groups.push(...v4);
    else if (/^[0-9a-f]{1,4}$/i.test(piece)) groups.push(Number.parseInt(piece, 16));
    else return null;
  }
  return groups;
}

/** The IPv4 address inside `::ffff:0:0/96`. */
function mapped(groups: readonly number[]): number[] | null {
  const isMapped = groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
  return isMapped ? groups.slice(6) : null;
}

function masked(groups: readonly number[], bits: number): number[] {
  return groups.map((group, index) => {
    const kept = Math.min(16, Math.max(0, bits - index * 16));
    return group & (0xffff << (16 - kept)) & 0xffff;
  });
}

/** RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups is `::`. */
function formatted(groups: readonly number[]): string {
  let start = -1;
  let length = 1;
  for (let i = 0; i < groups.length; i++) {
    let end = i;
    while (end < groups.length && groups[end] === 0) end++;
    if (end - i > length) {
      start = i;
      length = end - i;
    }
  }
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  return start === -1
    ? text(groups)
    : `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}
