/**
 * `fairlead audit verify FILE...` and `fairlead audit show [FILE...]`: is what is in the audit files what was written,
 * and what is it? Reads files; `show` without a file asks a running sidecar.
 */

import { createReadStream } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import type { AuditRecord, ChainHead } from '../control/audit-chain.ts';
import { BEGIN_BYTES, firstId } from '../control/audit-file.ts';
import { ChainVerifier, type Finding } from '../control/audit-verifier.ts';
import { type AdminTarget, adminGet } from './admin-client.ts';
import { CliError, Exit, type Io } from './io.ts';

/** So many findings are printed; after one thing was changed there is seldom more than another. */
const FINDINGS_MAX = 50;
/** Longer than any record; a file without line feeds is not taken into memory whole. */
const LINE_MAX_BYTES = 1024 * 1024;

export interface AuditVerifyOptions {
  readonly files: readonly string[];
  readonly keyFile?: string;
  /** `ID:HASH`, as `/v1/audit/head` or the log had it. */
  readonly head?: string;
  readonly output: 'text' | 'json';
}

/** 0 when every record is what was written, 1 with the places where not. @throws CliError */
export async function auditVerifyCommand(options: AuditVerifyOptions, io: Io): Promise<number> {
  const key = options.keyFile === undefined ? null : (await readSecret(options.keyFile)).trim();
  const findings: Finding[] = [];
  const verifier = new ChainVerifier({
    key,
    known: options.head === undefined ? null : headOf(options.head),
    onFinding: (finding) => findings.push(finding),
  });
  for (const file of await inOrder(options.files)) {
    let number = 0;
    for await (const line of linesOf(file)) verifier.line(file, ++number, line);
  }
  verifier.end();
  const problems = findings.filter(({ kind }) => kind === 'problem').length;
  const { first, head, records } = verifier.summary;
  if (options.output === 'json')
    io.out(`${JSON.stringify({ ok: problems === 0, records, first, head, findings }, null, 2)}\n`);
  else {
    for (const { kind, file, line, message } of findings.slice(0, FINDINGS_MAX))
      io.out(`${file}:${line}: ${kind === 'note' ? 'note: ' : ''}${message}\n`);
    if (findings.length > FINDINGS_MAX) io.out(`and ${findings.length - FINDINGS_MAX} more\n`);
    const span = records === 0 ? 'no records' : `${records} records, ${first} to ${head.id}`;
    io.out(
      `${span}: ${problems === 0 ? `as they were written; head ${head.id}:${head.hash}` : 'not as they were written'}\n`,
    );
  }
  return problems === 0 ? Exit.ok : Exit.negative;
}

export interface AuditShowOptions extends AdminTarget {
  /** None: a running sidecar is asked. */
  readonly files: readonly string[];
  readonly action?: string;
  readonly target?: string;
  readonly actor?: string;
  readonly since?: string;
  readonly limit: number;
  readonly output: 'text' | 'json';
}

/** Prints the records that fit, the oldest first; 0. Verifies nothing. @throws CliError */
export async function auditShowCommand(options: AuditShowOptions, io: Io): Promise<number> {
  const sinceMs = options.since === undefined ? null : Date.parse(options.since);
  if (Number.isNaN(sinceMs))
    throw new CliError(Exit.usage, '--since is no time, such as 2026-11-21T20:00:00Z');
  const found: Partial<AuditRecord>[] = [];
  for await (const record of recordsOf(options, io)) {
    if (!fits(record, options, sinceMs)) continue;
    found.push(record);
    if (found.length > options.limit) found.shift();
  }
  if (options.output === 'json') io.out(`${JSON.stringify(found, null, 2)}\n`);
  else for (const record of found) io.out(`${sentence(record)}\n`);
  return Exit.ok;
}

async function* recordsOf(options: AuditShowOptions, io: Io): AsyncGenerator<Partial<AuditRecord>> {
  if (options.files.length === 0) {
    const { audit } = (await adminGet(options, '/v1/audit?limit=1000', io.env)) as {
      audit: readonly AuditRecord[];
    };
    yield* [...audit].reverse();
    return;
  }
  for (const file of await inOrder(options.files)) {
    let number = 0;
    for await (const line of linesOf(file)) {
      number++;
      const record = parseRecord(line);
      if (record === null) io.err(`${file}:${number}: no record; \`fairlead audit verify\` says more\n`);
      else yield record;
    }
  }
}

function fits(record: Partial<AuditRecord>, options: AuditShowOptions, sinceMs: number | null): boolean {
  const has = (text: string | undefined, wanted: string | undefined): boolean =>
    wanted === undefined || (text ?? '').includes(wanted);
  return (
    (options.action === undefined || record.action === options.action) &&
    has(record.target, options.target) &&
    has(record.actor, options.actor) &&
    (sinceMs === null || Date.parse(record.at ?? '') >= sinceMs)
  );
}

/** `12  2026-11-21T20:00:00.000Z  set-weights ranking by operator:alice: control 90%, ... -> ... (why)`. */
function sentence({
  id,
  at,
  action,
  target,
  actor,
  result,
  before,
  after,
  reason,
}: Partial<AuditRecord>): string {
  const change = before === after ? '' : `: ${before} -> ${after}`;
  const refused = result === 'refused' ? ' refused' : '';
  return `${id ?? '-'}  ${at}  ${action} ${target} by ${actor}${refused}${change} (${reason})`;
}

function parseRecord(line: Buffer): Partial<AuditRecord> | null {
  try {
    const value: unknown = JSON.parse(line.toString());
    return typeof value === 'object' && value !== null ? value : null;
  } catch {
    return null;
  }
}

/** By the number of their first record; those that do not say come last. @throws CliError */
async function inOrder(files: readonly string[]): Promise<string[]> {
  const firsts = new Map<string, number>();
  for (const file of files) firsts.set(file, await beginOf(file));
  return [...files].sort((left, right) => firsts.get(left)! - firsts.get(right)!);
}

async function beginOf(file: string): Promise<number> {
  try {
    const handle = await open(file, 'r');
    const begin = Buffer.alloc(BEGIN_BYTES);
    const { bytesRead } = await handle.read(begin, 0, BEGIN_BYTES, 0).finally(() => handle.close());
    return firstId(begin.subarray(0, bytesRead)) ?? Number.MAX_SAFE_INTEGER;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new CliError(Exit.unfit, `${file} cannot be read: ${code ?? cause}`, { cause });
  }
}

/** Also an end without a line feed is a line. */
async function* linesOf(file: string): AsyncGenerator<Buffer> {
  let carry: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(file)) {
    let rest: Buffer = Buffer.concat([carry, chunk as Buffer]);
    for (let feed = rest.indexOf(0x0a); feed >= 0; feed = rest.indexOf(0x0a)) {
      yield rest.subarray(0, feed);
      rest = rest.subarray(feed + 1);
    }
    if (rest.length > LINE_MAX_BYTES) {
      yield rest;
      rest = Buffer.alloc(0);
    }
    carry = rest;
  }
  if (carry.length > 0) yield carry;
}

function headOf(text: string): ChainHead {
  const [, id, hash] = /^(\d{1,12}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (id === undefined || hash === undefined)
    throw new CliError(Exit.usage, '--head is ID:HASH, as `/v1/audit/head` has them');
  return { id: Number(id), hash };
}

async function readSecret(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new CliError(Exit.unfit, `the key file ${file} cannot be read: ${code ?? cause}`, { cause });
  }
}
