/**
 * Goes through the lines of audit files in their order and says where they are not what was written: changed, missing,
 * put in, in another order, or not to its end. Deterministic; whoever reads the files hands it the lines.
 */
import {
  bytesHash,
  type ChainHead,
  NO_RECORDS,
  sealOf,
  TORN_ACTION,
  type Unsealed,
  unseal,
} from './audit-chain.ts';

/** More than a start leaves behind that was killed while it wrote. */
const SUSPECT_MAX_BYTES = 1024 * 1024;

export interface Finding {
  /** A note is told and is no reason to distrust the records that are there. */
  readonly kind: 'problem' | 'note';
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  readonly message: string;
}

interface Suspect {
  readonly file: string;
  readonly line: number;
  readonly bytes: Buffer;
  readonly problem: string;
}

export interface VerifierOptions {
  /** Null: the records are sealed without one. */
  readonly key: string | null;
  /** A head that was kept elsewhere; null: none was. */
  readonly known: ChainHead | null;
  readonly onFinding: (finding: Finding) => void;
}

export class ChainVerifier {
  readonly #options: VerifierOptions;
  #head: ChainHead = NO_RECORDS;
  #first = 0;
  #records = 0;
  #isKnownSeen = false;
  /** Lines that may be explained by the record that follows them. */
  #suspects: Suspect[] = [];
  #place = { file: '', line: 0 };

  constructor(options: VerifierOptions) {
    this.#options = options;
  }

  /** The records that are there. */
  get summary(): { readonly first: number; readonly head: ChainHead; readonly records: number } {
    return { first: this.#first, head: this.#head, records: this.#records };
  }

  /** The next line without its "\n". */
  line(file: string, line: number, bytes: Buffer): void {
    this.#place = { file, line };
    const found = unseal(bytes, this.#options.key);
    if (!found.ok) {
      this.#suspects.push({ file, line, bytes, problem: found.problem });
      const held = this.#suspects.reduce((sum, { bytes: { length } }) => sum + length, 0);
      if (held > SUSPECT_MAX_BYTES) this.#accuse();
      return;
    }
    const broken = this.#suspects.length;
    if (broken > 0) {
      if (isMark(found, this.#suspects)) this.#excuse();
      else this.#accuse();
    }
    this.#link(found, this.#suspects.length);
    this.#suspects = [];
    this.#head = found.head;
    this.#records++;
    if (found.head.id === this.#options.known?.id) this.#compare(found.head);
  }

  /** There are no more lines. */
  end(): void {
    this.#accuse();
    const { known } = this.#options;
    if (known === null || this.#isKnownSeen) return;
    this.#say('problem', `record ${known.id} is not there: the records end at ${this.#head.id}`);
  }

  /** @param broken Lines before it that are not what was written, and each may have been a record. */
  #link({ head, prev }: Unsealed & { ok: true }, broken: number): void {
    const before = this.#head;
    if (this.#records === 0 && broken === 0) {
      this.#first = head.id;
      if (head.id > 1)
        this.#say('note', `begins at record ${head.id}; what was before is not in these files`);
      else if (prev !== NO_RECORDS.hash) this.#say('problem', 'the first record follows another one');
      return;
    }
    if (this.#records === 0) this.#first = head.id;
    const isNext = head.id === before.id + 1;
    if (isNext && prev === before.hash) return;
    if (broken > 0 && head.id > before.id && head.id <= before.id + 1 + broken) return;
    if (head.id <= before.id)
      this.#say('problem', `record ${head.id} comes after ${before.id}: put in, twice, or in another order`);
    else if (isNext) this.#say('problem', `record ${head.id} does not follow the record before it`);
    else this.#say('problem', `records ${before.id + 1} to ${head.id - 1} are missing`);
  }

  #compare({ id, hash }: ChainHead): void {
    this.#isKnownSeen = true;
    if (hash !== this.#options.known?.hash)
      this.#say('problem', `record ${id} is another one than the head that was kept`);
  }

  #excuse(): void {
    const { file, line } = this.#suspects[0]!;
    const bytes = this.#suspects.reduce((sum, suspect) => sum + suspect.bytes.length, 0);
    const message = `${bytes} bytes were not written to their end, as the record after them says: the process or the machine stopped`;
    this.#options.onFinding({ kind: 'note', file, line, message });
    this.#suspects = [];
  }

  #accuse(): void {
    for (const { file, line, problem } of this.#suspects)
      this.#options.onFinding({ kind: 'problem', file, line, message: problem });
  }

  #say(kind: Finding['kind'], message: string): void {
    this.#options.onFinding({ kind, ...this.#place, message });
  }
}

/** Whether a record says of the lines before it that they were not written to their end. One that looks whole was. */
function isMark({ record }: Unsealed & { ok: true }, suspects: readonly Suspect[]): boolean {
  if (record.action !== TORN_ACTION || suspects.some(({ bytes }) => sealOf(bytes) !== null)) return false;
  const bytes = Buffer.concat(suspects.flatMap((suspect) => [suspect.bytes, Buffer.from('\n')]));
  return record.inputs?.sha256 === bytesHash(bytes);
}
