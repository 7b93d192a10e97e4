/**
 * The files of an audit trail: one that is appended to, and those it was renamed to when it was full, with the number
 * of their first record behind the name. What a crash leaves of a record stays where it is; the record that follows
 * says so. Nothing is ever changed, only the oldest files go.
 */
import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { basename, dirname, join } from 'node:path';
import {
  bytesHash,
  type ChainHead,
  NO_RECORDS,
  type SealKind,
  sealOf,
  type Unsealed,
  unsealAny,
} from './audit-chain.ts';
import { type BackwardLine, linesBackward } from './lines-backward.ts';

const ID_DIGITS = 12;
/** Of a file, to see where it begins: a torn record and the one after it. */
export const BEGIN_BYTES = 32 * 1024;
/** What is looked through for the last record: a start that was killed leaves less. */
const TAIL_MAX_BYTES = 256 * 1024;

export interface AuditFileSettings {
  readonly file: string;
  /** A file with so many bytes takes no more records. */
  readonly maxBytes: number;
  /** Full files that are kept. */
  readonly keep: number;
}

/** How the file was found. */
export type FoundTail =
  | { readonly state: 'whole'; readonly head: ChainHead; readonly kind: SealKind | null }
  /** What is behind the last record was not written to its end. */
  | { readonly state: 'torn'; readonly head: ChainHead; readonly bytes: number; readonly sha256: string }
  /** Its last record is not what was written, or sealed with another key. */
  | { readonly state: 'changed'; readonly head: ChainHead };

export class AuditFile {
  readonly #settings: AuditFileSettings;
  #handle: FileHandle | null = null;
  #inode = 0;
  #bytes = 0;
  /** Of the file that is written. */
  #firstId = 0;
  #lock: Server | null = null;

  constructor(settings: AuditFileSettings) {
    this.#settings = settings;
  }

  /**
   * Opens it; what it was found like. Rejects with the system's error; EADDRINUSE: another process has it open;
   * ENOTSUP: it is no audit file.
   */
  async open(key: string | null): Promise<FoundTail> {
    const { file } = this.#settings;
    await mkdir(dirname(file), { recursive: true, mode: 0o750 });
    await this.#lockIt();
    await this.#openHandle();
    if (this.#bytes === 0) return { state: 'whole', head: await this.#headBefore(key), kind: null };
    const first = await firstIdOf(this.#handle!);
    const found = await findTail(this.#handle!, this.#bytes, key, () => this.#headBefore(key));
    if (first === null && found.tail.state === 'changed')
      throw Object.assign(new Error('it is no audit file'), { code: 'ENOTSUP' });
    this.#firstId = first ?? 0;
    // A record that only lacks its line feed is whole, and so is what is cut off inside one: the next begins a line.
    if (found.isOpen) await this.append('\n', 0);
    return found.tail;
  }

  /** On the disk when it resolves; on failure nothing is, or as much as is written again at the same place. */
  async append(lines: string, firstId: number): Promise<void> {
    await this.#findAgain();
    const bytes = Buffer.from(lines);
    if (this.#bytes > 0 && firstId > 0 && this.#bytes + bytes.length > this.#settings.maxBytes)
      await this.rotate();
    // Of a file that begins with what is no record, that of the first one there is.
    if (this.#bytes === 0 || (this.#firstId === 0 && firstId > 0)) this.#firstId = firstId;
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#handle!.write(
        bytes,
        done,
        bytes.length - done,
        this.#bytes + done,
      );
      done += bytesWritten;
    }
    await this.#handle!.datasync();
    this.#bytes += bytes.length;
  }

  /** The file becomes one of the full ones, and a new one begins. */
  async rotate(): Promise<void> {
    const { file, keep } = this.#settings;
    await this.#handle?.close();
    this.#handle = null;
    const full = `${file}.${String(this.#firstId).padStart(ID_DIGITS, '0')}`;
    await rename(file, await freeName(full));
    await this.#openHandle();
    await syncFolder(dirname(file));
    const old = (await this.full()).slice(0, -keep);
    for (const { path } of old) await rm(path, { force: true });
  }

  /** The full files with the number of their first record, the oldest first. */
  async full(): Promise<{ readonly path: string; readonly firstId: number }[]> {
    const folder = dirname(this.#settings.file);
    const prefix = `${basename(this.#settings.file)}.`;
    const names = (await readdir(folder)).filter(
      (name) => name.startsWith(prefix) && /^\d{12}(-\d+)?$/.test(name.slice(prefix.length)),
    );
    return names.sort().map((name) => ({
      path: join(folder, name),
      firstId: Number(name.slice(prefix.length, prefix.length + ID_DIGITS)),
    }));
  }

  get path(): string {
    return this.#settings.file;
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = null;
    this.#lock?.close();
    this.#lock = null;
  }

  async #openHandle(): Promise<void> {
    const { file } = this.#settings;
    await this.#handle?.close();
    // Neither cut off nor for appending only: after a failure the same bytes are written over what there is of them.
    const handle = await open(file, 'r+').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return open(file, 'wx+', 0o640);
    });
    const { ino, size } = await handle.stat();
    this.#handle = handle;
    this.#inode = ino;
    this.#bytes = size;
  }

  /** Where somebody has moved or removed the file another one begins: what is written to a file without a name is lost. */
  async #findAgain(): Promise<void> {
    const found = await stat(this.#settings.file).catch(() => null);
    if (this.#handle === null || found?.ino !== this.#inode) await this.#openHandle();
  }

  /** Of a file that was never written to: the last record of the last full one. */
  async #headBefore(key: string | null): Promise<ChainHead> {
    const last = (await this.full()).at(-1);
    if (last === undefined) return NO_RECORDS;
    const handle = await open(last.path, 'r');
    try {
      const { size } = await handle.stat();
      return (await findTail(handle, size, key, async () => NO_RECORDS)).tail.head;
    } finally {
      await handle.close();
    }
  }

  /** A name that ends with the process, however that ends: a file would have to be told from one that was left behind. */
  async #lockIt(): Promise<void> {
    if (process.platform !== 'linux' || this.#lock !== null) return;
    const folder = await realpath(dirname(this.#settings.file));
    const id = createHash('sha256')
      .update(join(folder, basename(this.#settings.file)))
      .digest('hex');
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(`\0fairlead-audit-${id.slice(0, 32)}`, resolve);
    });
    server.unref();
    this.#lock = server;
  }
}

/**
 * The last record and what is behind it.
 * @param headBefore The end of the file before, for one without a whole record.
 */
async function findTail(
  handle: FileHandle,
  size: number,
  key: string | null,
  headBefore: () => Promise<ChainHead>,
): Promise<{ readonly tail: FoundTail; readonly isOpen: boolean }> {
  const behind: BackwardLine[] = [];
  let isOpen = false;
  for await (const line of linesBackward(handle, size)) {
    if (line.end === size) isOpen = !line.isTerminated;
    const found = sealOf(line.bytes) === null ? null : unsealAny(line.bytes, key);
    if (found !== null && !found.ok)
      return { tail: { state: 'changed', head: claimedHead(line.bytes) }, isOpen };
    if (found?.ok) return { tail: tailOf(found, behind), isOpen };
    behind.unshift(line);
    if (size - line.start > TAIL_MAX_BYTES) break;
  }
  // Nothing but a beginning: the first record of the file was not written to its end.
  if (behind[0]?.start === 0 && isBeginning(behind[0].bytes))
    return { tail: torn(await headBefore(), behind), isOpen };
  return { tail: { state: 'changed', head: await headBefore() }, isOpen };
}

function tailOf(found: Unsealed & { ok: true }, behind: readonly BackwardLine[]): FoundTail {
  if (behind.length > 0) return torn(found.head, behind);
  return { state: 'whole', head: found.head, kind: found.kind };
}

function torn(head: ChainHead, behind: readonly BackwardLine[]): FoundTail {
  const bytes = Buffer.concat(behind.flatMap((line) => [line.bytes, Buffer.from('\n')]));
  const count = behind.reduce((sum, line) => sum + line.bytes.length, 0);
  return { state: 'torn', head, bytes: count, sha256: bytesHash(bytes) };
}

/** What a record says of itself that is not what was written: the chain goes on from there, and verifying it tells. */
function claimedHead(line: Buffer): ChainHead {
  try {
    const { id, hmac, sha256 } = JSON.parse(line.toString()) as Record<string, unknown>;
    if (Number.isSafeInteger(id)) return { id: id as number, hash: String(hmac ?? sha256) };
  } catch {
    // It does not even say that.
  }
  return NO_RECORDS;
}

/** 0: no record is at its beginning. Null: it does not begin as an audit file does. */
async function firstIdOf(handle: FileHandle): Promise<number | null> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(BEGIN_BYTES), 0, BEGIN_BYTES, 0);
  const begin = buffer.subarray(0, bytesRead);
  return firstId(begin) ?? (isBeginning(begin) ? 0 : null);
}

/** Of the first record in the first bytes of a file; null: there is none. */
export function firstId(begin: Buffer): number | null {
  const id = /^\{"id":(\d{1,12}),/m.exec(begin.toString('latin1'))?.[1];
  return id === undefined ? null : Number(id);
}

/** Whether bytes are those of a record as far as they go. */
function isBeginning(bytes: Buffer): boolean {
  const [line = ''] = bytes.toString('latin1', 0, BEGIN_BYTES).split('\n');
  return '{"id":'.startsWith(line) || /^\{"id":\d/.test(line);
}

/** Nothing is written over. */
async function freeName(path: string): Promise<string> {
  let free = path;
  for (let number = 1; (await stat(free).catch(() => null)) !== null; number++) free = `${path}-${number}`;
  return free;
}

async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {
    // A system that has no such thing is left alone.
  }
}
