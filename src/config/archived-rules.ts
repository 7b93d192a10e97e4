/**
 * The rules of a decision as they are kept for `fairlead replay`: the declared configuration without secrets, and what
 * was changed at run time. Named by their own hash, so that a byte that is changed is noticed. Pure.
 */
import { createHash } from 'node:crypto';
import { compile } from './compile.ts';
import { configHash, redact } from './hash.ts';
import type { RuntimeExperiment, RuntimeState } from './runtime.ts';
import type { Config } from './schema.ts';
import type { Snapshot } from './snapshot.ts';

export interface ArchivedRules {
  /** First 16 hex digits of the SHA-256 of the text. */
  readonly id: string;
  readonly text: string;
}

/** Archived rules that are read back. */
export interface ReadRules {
  readonly snapshot: Snapshot;
  /** A segment has ids, which are not kept. */
  readonly isWithoutIds: boolean;
}

const ID_DIGITS = 16;
const FORMAT = 'fairlead-rules';
const VERSION = 1;

/** A change made at run time leaves the configuration as it is, and it may be megabytes. */
const configTexts = new WeakMap<Config, string>();

export function archiveRules(config: Config, runtime: RuntimeState): ArchivedRules {
  let declared = configTexts.get(config);
  if (declared === undefined) {
    declared = `"hash":"${configHash(config)}","config":${JSON.stringify(decidingPart(config))}`;
    configTexts.set(config, declared);
  }
  const experiments = Object.fromEntries(
    [...runtime.experiments].filter(([name]) => Object.hasOwn(config.experiments, name)),
  );
  const head = `{"format":"${FORMAT}","version":${VERSION},${declared}`;
  const text = `${head},"runtime":${JSON.stringify({ experiments })}}\n`;
  return { id: rulesId(text), text };
}

export function rulesId(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, ID_DIGITS);
}

/** Null for what is no such text, or cannot be compiled by this release. */
export function readArchivedRules(text: string): ReadRules | null {
  try {
    const { format, version, hash, config, runtime } = JSON.parse(text) as Archived;
    if (format !== FORMAT || version !== VERSION) return null;
    const state = { experiments: new Map(Object.entries(runtime.experiments)) };
    const isWithoutIds = Object.values(config.segments).some(({ rules }) => rules === undefined);
    return { snapshot: { ...compile(config, state, 1), hash }, isWithoutIds };
  } catch {
    return null;
  }
}

interface Archived {
  readonly format: unknown;
  readonly version: unknown;
  readonly hash: string;
  readonly config: Config;
  readonly runtime: { readonly experiments: Record<string, RuntimeExperiment> };
}

/** What no decision comes from is left out where there are keys and certificates in it. */
function decidingPart(config: Config): Config {
  const shown = redact(config);
  const upstreams = Object.entries(shown.upstreams).map(([name, upstream]) => [
    name,
    { ...upstream, tls: undefined },
  ]);
  return {
    ...shown,
    upstreams: Object.fromEntries(upstreams) as Config['upstreams'],
    listeners: undefined,
    tokens: undefined,
    identity: {},
    stickyKeys: [],
  };
}
