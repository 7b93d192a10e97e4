/**
 * The audit trail: every record is numbered and chained to the one before, kept in memory for a while and in a file,
 * if there is one, for good. Nothing waits for the file but whoever wants to: one that cannot be written fails no
 * request and no change. What waits for it is bounded; what does not fit is counted, and a record says how many.
 */
import { open } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import {
  type AuditEntry,
  type AuditRecord,
  type ChainHead,
  NO_RECORDS,
  seal,
  TORN_ACTION,
  unsealAny,
} from './audit-chain.ts';
import { AuditFile, type AuditFileSettings, type FoundTail } from './audit-file.ts';
import { linesBackward } from './lines-backward.ts';

/** Kept in memory, and as many may wait for the file. */
const RECORDS_MAX = 1000;
/** A file that cannot be written or opened is tried again after this. */
const RETRY_MS = 1000;
/** A stop is not held up for longer. */
const CLOSE_MS = 2000;

/** What is in memory; without a number while the file has not been opened. */
export type KeptRecord = AuditEntry & { readonly at: string; readonly id: number | null };

export interface AuditTrailOptions {
  /** Null: records are in memory only. */
  readonly file: AuditFileSettings | null;
  /** Seals the records; null: a plain hash does. */
  readonly key: string | null;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly onProblem: (sentence: string) => void;
  readonly retryMs?: number;
}

export interface AuditStatus {
  readonly head: ChainHead;
  readonly file: string | null;
  readonly isKeyed: boolean;
  /** Records that wait for the file. */
  readonly pending: number;
  /** Records that are not in it for good, as too many waited. */
  readonly lost: number;
  readonly isFailing: boolean;
}

export class AuditTrail {
  readonly #options: AuditTrailOptions;
  readonly #file: AuditFile | null;
  /** Null: the file has not been opened yet, so that nothing can be numbered. */
  #head: ChainHead | null;
  #kept: KeptRecord[] = [];
  /** Wait for the file to be opened. */
  #unsealed: KeptRecord[] = [];
  #lines: { readonly id: number; readonly line: string }[] = [];
  #writing = 0;
  #lost = 0;
  /** Of these, not said by a record yet. */
  #unsaid = 0;
  #isFailing = false;
  #isClosed = false;
  #work: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: AuditTrailOptions) {
    this.#options = options;
    this.#file = options.file === null ? null : new AuditFile(options.file);
    this.#head = this.#file === null ? NO_RECORDS : null;
    if (this.#file !== null) this.#write();
  }

  /** Takes a record. Returns at once; see `flush`. Null: it is neither in memory nor going to be in the file. */
  add(entry: AuditEntry): KeptRecord | null {
    if (this.#file !== null && this.pending >= RECORDS_MAX) {
      this.#lost++;
      this.#unsaid++;
      return null;
    }
    if (this.#unsaid > 0) {
      const count = this.#unsaid;
      this.#unsaid = 0;
      this.#take(
        own('audit-gap', `${count} records before this one were lost: too many waited for the file`),
      );
    }
    const record = this.#take(entry);
    if (this.#file !== null) this.#write();
    return record;
  }

  /** The newest first, those before `before`, at most `limit`. Older ones than those in memory come from the files. */
  async page({ before, limit }: { before: number | null; limit: number }): Promise<KeptRecord[]> {
    const isOlder = ({ id }: KeptRecord): boolean => before === null || (id !== null && id < before);
    const found = limit <= 0 ? [] : this.#kept.filter(isOlder).slice(-limit).reverse();
    const oldest = this.#kept.find(({ id }) => id !== null)?.id ?? this.#head?.id ?? 0;
    const upTo = Math.min(before ?? Number.MAX_SAFE_INTEGER, this.#kept.length > 0 ? oldest : oldest + 1);
    if (found.length < limit && this.#file !== null)
      found.push(...(await this.#fromFiles(upTo, limit - found.length).catch(() => [])));
    return found;
  }

  get status(): AuditStatus {
    return {
      head: this.#head ?? NO_RECORDS,
      file: this.#file?.path ?? null,
      isKeyed: this.#options.key !== null,
      pending: this.#file === null ? 0 : this.pending,
      lost: this.#lost,
      isFailing: this.#isFailing,
    };
  }

  get pending(): number {
    return this.#unsealed.length + this.#lines.length + this.#writing;
  }

  /** Resolves when what was taken is on the disk, or after `timeoutMs`, or when it cannot be written now. Never rejects. */
  async flush(timeoutMs: number): Promise<void> {
    if (this.pending === 0 || this.#file === null) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([this.#work, late]);
    clearTimeout(timer);
  }

  /** Writes what it can and lets go of the file. Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.pending > 0) this.#write();
    await this.flush(CLOSE_MS);
    await this.#file?.close().catch(() => {});
  }

  #take(entry: AuditEntry): KeptRecord {
    const unsealed = { id: null, at: new Date(this.#options.clock.wallMs()).toISOString(), ...entry };
    if (this.#head === null) {
      this.#unsealed.push(unsealed);
      this.#keep(unsealed);
      return unsealed;
    }
    const record = this.#seal(unsealed);
    this.#keep(record);
    return record;
  }

  #keep(record: KeptRecord): void {
    this.#kept.push(record);
    if (this.#kept.length > RECORDS_MAX) this.#kept = this.#kept.slice(-RECORDS_MAX);
  }

  #seal({ id: _, ...entry }: KeptRecord): AuditRecord {
    const { line, head, record } = seal(entry, this.#head!, this.#options.key);
    this.#head = head;
    if (this.#file !== null) this.#lines.push({ id: head.id, line });
    return record;
  }

  #write(): void {
    if (this.#timer !== null) return;
    this.#work = this.#work.then(() => this.#writeAll()).catch((error) => this.#failed(error));
  }

  async #writeAll(): Promise<void> {
    const file = this.#file!;
    if (this.#timer !== null) return;
    if (this.#head === null) {
      const found = await file.open(this.#options.key);
      const notes = noteOf(found, this.#options.key !== null);
      // Records that are verified in another way, or cannot be, are in files of their own.
      if (found.state !== 'torn' && notes.length > 0) await file.rotate();
      this.#begin(found.head, notes, file);
    }
    while (this.#lines.length > 0) {
      const batch = this.#lines;
      this.#lines = [];
      this.#writing = batch.length;
      try {
        await file.append(batch.map(({ line }) => line).join(''), batch[0]!.id);
      } catch (error) {
        this.#lines = [...batch, ...this.#lines];
        throw error;
      } finally {
        this.#writing = 0;
      }
    }
    if (this.#isFailing) {
      this.#isFailing = false;
      this.#options.onProblem(
        `the audit file ${file.path} is written again; ${this.#lost} records were lost`,
      );
    }
  }

  /** The chain goes on where the file ends; what is to be said about how it was found comes first. */
  #begin(head: ChainHead, notes: readonly AuditEntry[], file: AuditFile): void {
    this.#head = head;
    const before = this.#kept.length - this.#unsealed.length;
    const at = new Date(this.#options.clock.wallMs()).toISOString();
    const waiting: KeptRecord[] = [...notes.map((note) => ({ ...note, at, id: null })), ...this.#unsealed];
    for (const { reason } of notes) this.#options.onProblem(`${file.path}: ${reason}`);
    this.#unsealed = [];
    this.#kept.length = Math.max(0, before);
    for (const entry of waiting) this.#keep(this.#seal(entry));
  }

  async #fromFiles(before: number, limit: number): Promise<AuditRecord[]> {
    const file = this.#file!;
    const paths = [
      file.path,
      ...(await file.full())
        .reverse()
        .filter(({ firstId }) => firstId < before)
        .map(({ path }) => path),
    ];
    const found: AuditRecord[] = [];
    for (const path of paths) {
      const handle = await open(path, 'r');
      try {
        for await (const { bytes } of linesBackward(handle, (await handle.stat()).size)) {
          const line = unsealAny(bytes, this.#options.key);
          if (line.ok && line.record.id < before) found.push(line.record);
          if (found.length >= limit) return found;
        }
      } finally {
        await handle.close();
      }
    }
    return found;
  }

  #failed(error: NodeJS.ErrnoException): void {
    if (!this.#isFailing) {
      this.#isFailing = true;
      const why =
        error.code === 'EADDRINUSE'
          ? 'another process has it open'
          : error.code === 'ENOTSUP'
            ? 'it holds something else'
            : (error.code ?? 'it cannot be used');
      const path = this.#file?.path ?? '';
      this.#options.onProblem(
        `the audit file ${path} cannot be written: ${why}; records are kept while they fit`,
      );
    }
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#write();
    }, this.#options.retryMs ?? RETRY_MS);
    this.#timer.unref();
  }
}

function noteOf(found: FoundTail, isKeyed: boolean): AuditEntry[] {
  switch (found.state) {
    case 'torn': {
      const { bytes, sha256 } = found;
      const reason = `the ${bytes} bytes before this record were not written to their end: the process or the machine stopped`;
      return [{ ...own(TORN_ACTION, reason), inputs: { bytes, sha256 } }];
    }
    case 'changed':
      return [
        own(
          'audit-changed',
          'the last record of the file before is not what was written, or its key is another one',
        ),
      ];
    case 'whole':
      if (found.kind === null || (found.kind === 'hmac') === isKeyed) return [];
      return [
        own('audit-key', `records are sealed ${isKeyed ? 'with a key' : 'without a key'} from here on`),
      ];
  }
}

function own(action: string, reason: string): AuditEntry {
  return { action, target: 'audit', actor: 'fairlead', reason, result: 'done', before: '', after: '' };
}
