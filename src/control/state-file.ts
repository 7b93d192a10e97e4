/**
 * The file that keeps run-time changes over restarts. Never fatal: a file that cannot be read or understood is set
 * aside under another name and reported, and the sidecar starts from the declared config alone.
 *
 * Written whole to a temporary file beside it, flushed to disk, then renamed, so that a crash leaves the old or the
 * new state and never half of one.
 */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { EMPTY_RUNTIME, type RuntimeExperiment, type RuntimeState } from '../config/runtime.ts';
import { PPM } from '../config/units.ts';
import type { SavedBreaker } from './breaker-ledger.ts';
import { type SavedRollouts, savedRolloutsSchema } from './rollout-file.ts';

/** A table of slots is a few hundred bytes; this is room for thousands of experiments. */
const FILE_MAX_BYTES = 64 * 1024 * 1024;
/** More than any budget has. */
const ROWS_MAX = 200;
const SPANS_MAX = 32;
const NOT_A_STATE = 'is not a Fairlead state of version 1';

const changeRecord = { reason: z.string(), actor: z.string(), at: z.string() };
const weights = z.record(z.string(), z.int().min(0).max(PPM));
const count = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const row = z.tuple([count, count, count]);
const savedBreakers = z.record(
  z.string(),
  z.object({
    at: z.iso.datetime(),
    budget: z
      .object({
        spans: z.array(z.object({ spanMs: count, rows: z.array(row).max(ROWS_MAX) })).max(SPANS_MAX),
      })
      .nullable(),
    tripAgesMs: z.array(count).max(ROWS_MAX),
  }),
);
const stateSchema = z.object({
  format: z.literal('fairlead-state'),
  version: z.literal(1),
  experiments: z.record(
    z.string(),
    z.object({
      salt: z.string(),
      status: z.object({ status: z.enum(['running', 'paused', 'killed']), ...changeRecord }).nullable(),
      weights: z.object({ weightsPpm: weights, declaredPpm: weights, ...changeRecord }).nullable(),
      slots: z
        .array(
          z.object({ start: z.int().min(0).max(PPM), end: z.int().min(0).max(PPM), variant: z.string() }),
        )
        .max(PPM),
      // Not in what was written before they were kept.
      epoch: z.int().min(1).default(1),
      seenAt: z.iso.datetime().nullable().default(null),
      forgets: z.int().min(0).default(0),
    }),
  ),
  // What cannot be read of it is lost, and nothing else with it.
  breakers: savedBreakers.catch({}).default({}),
  rollouts: savedRolloutsSchema,
});

/** What the file holds. */
export interface Stored {
  readonly state: RuntimeState;
  readonly breakers: SavedBreakers;
  readonly rollouts: SavedRollouts;
}

export type SavedBreakers = ReadonlyMap<string, SavedBreaker>;

export interface LoadedState extends Stored {
  /** What was wrong with the file, in one sentence; null when it was read or is not there. */
  readonly problem: string | null;
}

/** No file, or one that cannot be read. */
export const NOTHING_STORED: Stored = { state: EMPTY_RUNTIME, breakers: new Map(), rollouts: new Map() };

/** @param nowMs Wall time, for the name a broken file is set aside under. */
export async function loadState(file: string, nowMs: number): Promise<LoadedState> {
  const { isBroken, ...loaded } = await readState(file);
  return isBroken ? { ...loaded, problem: await setAside(file, nowMs) } : loaded;
}

/** Reads without touching anything: for those who only look. */
export async function readState(file: string): Promise<LoadedState & { readonly isBroken: boolean }> {
  let text: string;
  try {
    text = await readBounded(file);
  } catch (error) {
    const problem = `the state file ${file} cannot be read (${messageOf(error)}); going on without it`;
    return { ...NOTHING_STORED, problem: codeOf(error) === 'ENOENT' ? null : problem, isBroken: false };
  }
  const stored = parseStored(text);
  if (stored !== null) return { ...stored, problem: null, isBroken: false };
  return {
    ...NOTHING_STORED,
    problem: `the state file ${file} ${NOT_A_STATE}; going on without it`,
    isBroken: true,
  };
}

/** Replaces the file by this text. Throws what the file system says; the old file is then still there. */
export async function saveState(file: string, text: string): Promise<void> {
  const folder = dirname(file);
  const temporary = join(folder, `.${basename(file)}.${process.pid}.tmp`);
  await mkdir(folder, { recursive: true });
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } catch (error) {
    await handle.close();
    await rm(temporary, { force: true });
    throw error;
  }
  await handle.close();
  await rename(temporary, file);
  await syncFolder(folder);
}

/** The text of a state; the inverse of `parseState`. @param lines what is known of breakers, by `breakerLine` */
export function formatState(
  state: RuntimeState,
  lines: readonly string[] = [],
  rollouts: SavedRollouts = new Map(),
): string {
  const experiments = Object.fromEntries(state.experiments);
  const others = rollouts.size === 0 ? {} : { rollouts: Object.fromEntries(rollouts) };
  const text = JSON.stringify({ format: 'fairlead-state', version: 1, experiments, ...others }, null, 1);
  if (lines.length === 0) return `${text}\n`;
  return `${text.slice(0, -'\n}'.length)},\n "breakers": {\n${lines.join(',\n')}\n }\n}\n`;
}

/** What is known of a breaker, on one line: it is for no eye, and made when there is time. */
export function breakerLine(name: string, saved: SavedBreaker): string {
  return `  ${JSON.stringify(name)}: ${JSON.stringify(saved)}`;
}

/** Null for what is not a state of this version. */
export function parseState(text: string): RuntimeState | null {
  return parseStored(text)?.state ?? null;
}

function parseStored(text: string): Stored | null {
  try {
    const { experiments, breakers, rollouts } = stateSchema.parse(JSON.parse(text));
    return {
      state: { experiments: new Map<string, RuntimeExperiment>(Object.entries(experiments)) },
      breakers: new Map<string, SavedBreaker>(Object.entries(breakers)),
      rollouts: new Map(Object.entries(rollouts)),
    };
  } catch {
    return null;
  }
}

async function readBounded(file: string): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    if (size > FILE_MAX_BYTES) throw new Error(`it has ${size} bytes, more than ${FILE_MAX_BYTES}`);
    return await readFile(handle, 'utf8');
  } finally {
    await handle.close();
  }
}

async function setAside(file: string, nowMs: number): Promise<string> {
  const aside = `${file}.broken-${Math.floor(nowMs)}`;
  try {
    await rename(file, aside);
    return `the state file ${file} ${NOT_A_STATE}; it is kept as ${aside} and the declared config is used`;
  } catch (error) {
    return `the state file ${file} ${NOT_A_STATE} and cannot be set aside (${messageOf(error)})`;
  }
}

/** A rename is only durable when the folder is flushed; file systems that cannot say so. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {
    // The data is written; only its survival of a power cut is less certain.
  }
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
