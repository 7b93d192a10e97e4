/**
 * Two methods of Node's Buffer that its types leave out: a slice as text without the option parsing of `toString`,
 * which is on the request path.
 */
interface Buffer {
  latin1Slice(start?: number, end?: number): string;
  hexSlice(start?: number, end?: number): string;
}
