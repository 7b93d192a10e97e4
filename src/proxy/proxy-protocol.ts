/**
 * The PROXY protocol, versions 1 and 2: the header that a load balancer puts before a connection's own bytes, to say
 * whose connection it is. A function of the bytes so far; no I/O. Exact: a connection that begins with anything else is
 * not worth guessing at, since what it claims becomes the client's address.
 *
 * https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt
 */
import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { UNKNOWN_ADDRESS } from './peer.ts';

export type ProxyHeader =
  /** The header has this many bytes. `address` is the client's; null: the connection's own, as for a health check. */
  | { readonly state: 'complete'; readonly length: number; readonly address: string | null }
  | { readonly state: 'incomplete' }
  | { readonly state: 'malformed'; readonly problem: string };

/** Section 2.1: the longest line of version 1, CRLF included. */
const V1_MAX_BYTES = 107;
/** Addresses and extensions (TLVs) of version 2. The addresses take 216 at most, known extensions some hundred. */
const V2_BODY_MAX_BYTES = 4096;
/** More than a header can have. */
export const PROXY_HEADER_MAX_BYTES = 16 + V2_BODY_MAX_BYTES;

const V1_PREFIX = Buffer.from('PROXY ');
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const V2_HEAD_BYTES = 16;

const INCOMPLETE: ProxyHeader = { state: 'incomplete' };

/** Reads the header that `bytes`, all that came in so far, begin with. Refuses as soon as it cannot become one. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (isPrefix(bytes, V2_SIGNATURE)) return bytes.length < V2_HEAD_BYTES ? INCOMPLETE : parseV2(bytes);
  if (isPrefix(bytes, V1_PREFIX)) return parseV1(bytes);
  return malformed('The connection does not begin with a PROXY protocol header.');
}

/** As far as both go, they are the same. */
function isPrefix(bytes: Buffer, expected: Buffer): boolean {
  const length = Math.min(bytes.length, expected.length);
  return bytes.compare(expected, 0, length, 0, length) === 0;
}

const V1_LINE = /^PROXY (?:UNKNOWN(?: [\x20-\x7e]*)?|(TCP[46]) ([^ ]+) ([^ ]+) ([0-9]+) ([0-9]+))\r\n$/;

function parseV1(bytes: Buffer): ProxyHeader {
  const lineFeed = bytes.subarray(0, V1_MAX_BYTES).indexOf(0x0a);
  if (lineFeed < 0 && bytes.length < V1_MAX_BYTES) return INCOMPLETE;
  if (lineFeed < 0) return malformed(`The PROXY line is longer than ${V1_MAX_BYTES} bytes.`);
  const length = lineFeed + 1;
  const match = V1_LINE.exec(bytes.latin1Slice(0, length));
  if (match === null) return malformed('The PROXY line is malformed.');
  const [, protocol, source, destination, sourcePort, destinationPort] = match;
  if (protocol === undefined) return { state: 'complete', length, address: null };
  const isAddress = protocol === 'TCP4' ? isIPv4 : isPlainIPv6;
  if (!isAddress(source!) || !isAddress(destination!))
    return malformed(`The PROXY line says ${protocol} and holds an address of another kind.`);
  if (!isPort(sourcePort!) || !isPort(destinationPort!))
    return malformed('The PROXY line holds a port that is none.');
  return { state: 'complete', length, address: canonical(source!) };
}

/** Without a zone, which means something only on the machine that wrote it. */
function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%');
}

function isPort(text: string): boolean {
  return /^(0|[1-9][0-9]{0,4})$/.test(text) && Number(text) <= 65_535;
}

const LOCAL = 0x20;
const PROXY = 0x21;
/** Family and transport, and how many bytes their addresses take. Others are not assigned. */
const TCP4 = 0x11;
const TCP6 = 0x21;
const UNIX_STREAM = 0x31;
const ADDRESS_BYTES: ReadonlyMap<number, number> = new Map([
  [0x00, 0],
  [TCP4, 12],
  [0x12, 12],
  [TCP6, 36],
  [0x22, 36],
  [UNIX_STREAM, 216],
  [0x32, 216],
]);

function parseV2(bytes: Buffer): ProxyHeader {
  const command = bytes[12]!;
  const family = bytes[13]!;
  const bodyBytes = bytes.readUInt16BE(14);
  if (command !== LOCAL && command !== PROXY)
    return malformed('The version or command of the header is unknown.');
  if (bodyBytes > V2_BODY_MAX_BYTES)
    return malformed(`The header is longer than ${V2_BODY_MAX_BYTES} bytes.`);
  const addressBytes = command === LOCAL ? 0 : ADDRESS_BYTES.get(family);
  if (addressBytes === undefined) return malformed('The address family of the header is unknown.');
  if (bodyBytes < addressBytes) return malformed('The header is too short for its addresses.');
  const length = V2_HEAD_BYTES + bodyBytes;
  if (bytes.length < length) return INCOMPLETE;
  return { state: 'complete', length, address: command === LOCAL ? null : v2Address(bytes, family) };
}

/** Datagrams have no place before HTTP/1.1; section 2.2 has them treated like an unknown family. */
function v2Address(bytes: Buffer, family: number): string | null {
  if (family === UNIX_STREAM) return UNKNOWN_ADDRESS;
  if (family === TCP4) return bytes.subarray(16, 20).join('.');
  if (family !== TCP6) return null;
  const groups: string[] = [];
  for (let at = 16; at < 32; at += 2) groups.push(bytes.readUInt16BE(at).toString(16));
  return canonical(groups.join(':'));
}

/** RFC 5952 for IPv6, and IPv4 out of the IPv6 form of it: one spelling for one client. */
function canonical(address: string): string {
  if (!address.includes(':')) return address;
  const text = new SocketAddress({ address, family: 'ipv6' }).address;
  return text.startsWith('::ffff:') && text.includes('.') ? text.slice(7) : text;
}

function malformed(problem: string): ProxyHeader {
  return { state: 'malformed', problem };
}
