/** How variants are carried, of a `Config` to what the request path reads. */
import type { MemorySettings } from '../propagation/memory.ts';
import { HostSet } from '../routing/host-set.ts';
import type { Config } from './schema.ts';
import type { PropagationSettings } from './snapshot.ts';

export function compilePropagation(config: Config): PropagationSettings {
  const {
    join: _join,
    joinEntries: _entries,
    joinBytes: _bytes,
    joinTtl: _ttl,
    internalHosts,
    ...rest
  } = config.propagation;
  const hosts = internalHosts === undefined ? null : new HostSet(internalHosts);
  return { ...rest, internalHosts: hosts, join: joinSettings(config) };
}

/** Null: calls are not joined. `auto` is on where calls of the service can be seen. */
function joinSettings(config: Config): MemorySettings | null {
  const { join, joinEntries, joinBytes, joinTtl } = config.propagation;
  const isOn = join === 'on' || (join === 'auto' && hasOutbound(config));
  return isOn ? { entriesMax: joinEntries, bytesMax: joinBytes, ttlMs: joinTtl } : null;
}

function hasOutbound({ listeners, routes }: Config): boolean {
  return (listeners ?? routes ?? []).some(({ direction }) => direction === 'outbound');
}
