/**
 * Networks of addresses. IPv4 and IPv6 are apart: `::/0` is every IPv6 address and no IPv4 one. An IPv4 address that is
 * written as IPv6 (`::ffff:10.0.0.1`) is the IPv4 address, and so is a network of such (`::ffff:10.0.0.0/104`). Pure.
 */
import { BlockList, isIP } from 'node:net';

/** As many bits are before the IPv4 address in one that is written as IPv6. */
const MAPPED_BITS = 96;
const MAPPED = new BlockList();
MAPPED.addSubnet('::ffff:0:0', MAPPED_BITS, 'ipv6');

export class Networks {
  // One list for both would take every IPv4 address for an IPv6 one when a network asks for it.
  readonly #ipv4 = new BlockList();
  readonly #ipv6 = new BlockList();

  /** @param address valid, with no more `bits` than its family has */
  add(address: string, bits: number): void {
    if (isIP(address) === 4) this.#ipv4.addSubnet(address, bits, 'ipv4');
    else if (bits >= MAPPED_BITS && MAPPED.check(address, 'ipv6'))
      this.#ipv4.addSubnet(address, bits, 'ipv6');
    else this.#ipv6.addSubnet(address, bits, 'ipv6');
  }

  /** False also for what is no address. */
  has(address: string): boolean {
    const family = isIP(address);
    if (family === 4) return this.#ipv4.check(address, 'ipv4');
    if (family === 0) return false;
    return (MAPPED.check(address, 'ipv6') ? this.#ipv4 : this.#ipv6).check(address, 'ipv6');
  }
}
