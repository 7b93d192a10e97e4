/** Declared sticky settings to those of the request path. Pure. */
import type { StickyPlace, StickySettings } from '../experiment/sticky.ts';
import type { Config } from './schema.ts';
import type { StickyConfig } from './schema-sticky.ts';

/** How what is kept is given out. Experiments that share a name share it all. */
export interface StickyIssue {
  readonly place: StickyPlace;
  /** The longest of those that share it. */
  readonly ttlMs: number;
  readonly sameSite: 'lax' | 'strict' | 'none';
  readonly isSecure: boolean;
  readonly path: string;
  readonly domain: string | null;
}

export function compileSticky(config: StickyConfig | undefined): StickySettings | null {
  if (config === undefined) return null;
  const { place, ttl, bucketVersion, minBucketVersion } = config;
  return { place, ttlMs: ttl, bucketVersion, minBucketVersion };
}

/** By `stickyPlaceKey`. */
export function compileStickyIssues(config: Config): ReadonlyMap<string, StickyIssue> {
  const issues = new Map<string, StickyIssue>();
  for (const { sticky } of Object.values(config.experiments)) {
    if (sticky === undefined) continue;
    const key = stickyPlaceKey(sticky.place);
    issues.set(key, {
      place: sticky.place,
      ttlMs: Math.max(sticky.ttl, issues.get(key)?.ttlMs ?? 0),
      sameSite: sticky.sameSite,
      isSecure: sticky.secure,
      path: sticky.path,
      domain: sticky.domain ?? null,
    });
  }
  return issues;
}

/** One text for one place. */
export function stickyPlaceKey({ kind, name }: StickyPlace): string {
  return `${kind} ${name}`;
}
