/**
 * Records that cannot be changed unseen: each line ends with the hash of all that is before it in the line, which holds
 * the hash of the record before. With a key the hash is an HMAC, so that who can write to the file can still not make
 * a chain that fits. Deterministic; reads and writes nothing.
 *
 * What no chain can know by itself is that records are missing at its end: for that its head is kept elsewhere.
 */
import { createHash, createHmac } from 'node:crypto';

/** What was done, by whom and why. */
export interface AuditEntry {
  /** `set-status`, `set-weights`, `clear`, `trip`, `reset`, `reload`, `drop-weights`, ... */
  readonly action: string;
  /** On what: the experiment, the breaker or the file. */
  readonly target: string;
  readonly actor: string;
  readonly reason: string;
  readonly result: 'done' | 'refused';
  readonly before: string;
  readonly after: string;
  /** What a machine decided by: its numbers, limits and samples. */
  readonly inputs?: Readonly<Record<string, unknown>>;
}

/** As it is kept: numbered from 1, with the time in ISO 8601. */
export interface AuditRecord extends AuditEntry {
  readonly id: number;
  readonly at: string;
}

/** The last record of a chain. */
export interface ChainHead {
  /** 0: there is none yet. */
  readonly id: number;
  /** 64 hex digits. */
  readonly hash: string;
}

export const NO_RECORDS: ChainHead = { id: 0, hash: '0'.repeat(64) };

/** Says that what is before it was not written to its end. */
export const TORN_ACTION = 'audit-torn';

/** Longest text and inputs of a record; the rest is cut. */
const TEXT_MAX_CHARS = 2000;
const INPUTS_MAX_CHARS = 8000;

/** How a record is sealed: with a key or without one. */
export type SealKind = 'hmac' | 'sha256';

const SEALS: Readonly<Record<SealKind, RegExp>> = {
  hmac: /,"hmac":"([0-9a-f]{64})"\}$/,
  sha256: /,"sha256":"([0-9a-f]{64})"\}$/,
};
/** Of the longer seal, in characters. */
const SEAL_CHARS = 77;

/** The record that follows `previous` as a line with its "\n". Texts that are too long are cut. */
export function seal(
  entry: AuditEntry & { readonly at: string },
  previous: ChainHead,
  key: string | null,
): { readonly line: string; readonly head: ChainHead; readonly record: AuditRecord } {
  const id = previous.id + 1;
  const record: AuditRecord = { id, ...clipped(entry) };
  const body = JSON.stringify({ ...record, prev: previous.hash }).slice(0, -1);
  const hash = hashOf(body, key);
  return { line: `${body},"${key === null ? 'sha256' : 'hmac'}":"${hash}"}\n`, head: { id, hash }, record };
}

export type Unsealed =
  | {
      readonly ok: true;
      readonly record: AuditRecord;
      readonly head: ChainHead;
      readonly prev: string;
      readonly kind: SealKind;
    }
  | { readonly ok: false; readonly problem: string };

/** A record out of its line, without the "\n", if it is what was written. */
export function unseal(line: Buffer, key: string | null): Unsealed {
  const kind = sealOf(line);
  if (kind === null) return { ok: false, problem: 'this is no record, or its end is missing' };
  if (kind === 'hmac' && key === null)
    return { ok: false, problem: 'the record is sealed with a key, which is needed to verify it' };
  if (kind === 'sha256' && key !== null)
    return { ok: false, problem: 'the record is not sealed with the key' };
  const [text, hash] = SEALS[kind].exec(line.toString('latin1', Math.max(0, line.length - SEAL_CHARS)))!;
  const body = line.subarray(0, line.length - text.length);
  if (hashOf(body, key) !== hash)
    return { ok: false, problem: 'the record is not what was written: its hash does not fit' };
  const { prev, ...record } = JSON.parse(`${body.toString()}}`) as AuditRecord & { prev: string };
  return { ok: true, record, head: { id: record.id, hash: hash! }, prev, kind };
}

/** Like `unseal`, also of records that were made before there was a key. */
export function unsealAny(line: Buffer, key: string | null): Unsealed {
  return unseal(line, sealOf(line) === 'sha256' ? null : key);
}

/** How a line is sealed; null: it does not end as a record does. */
export function sealOf(line: Buffer): SealKind | null {
  const end = line.toString('latin1', Math.max(0, line.length - SEAL_CHARS));
  if (SEALS.hmac.test(end)) return 'hmac';
  return SEALS.sha256.test(end) ? 'sha256' : null;
}

/** Of bytes that were not written to their end. */
export function bytesHash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function hashOf(body: string | Buffer, key: string | null): string {
  return (key === null ? createHash('sha256') : createHmac('sha256', key)).update(body).digest('hex');
}

/** In the order in which it is written. */
function clipped(entry: AuditEntry & { readonly at: string }): Omit<AuditRecord, 'id'> {
  const clip = (text: string) =>
    text.length <= TEXT_MAX_CHARS ? text : `${text.slice(0, TEXT_MAX_CHARS)} ... (cut)`;
  const { at, action, result, inputs } = entry;
  const [target, actor, reason] = [clip(entry.target), clip(entry.actor), clip(entry.reason)];
  const [before, after] = [clip(entry.before), clip(entry.after)];
  const texts = { at, action, target, actor, reason, result, before, after };
  if (inputs === undefined) return texts;
  const size = JSON.stringify(inputs).length;
  const kept = size <= INPUTS_MAX_CHARS ? inputs : { cut: `${size} characters of inputs are too many` };
  return { ...texts, inputs: kept };
}
