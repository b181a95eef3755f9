import { type FileHandle, mkdir, open, rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../errors.js";
import { readIfPresent, statIfPresent } from "../../files/index.js";
import { writeFileAtomically } from "../files.js";
import { readRange } from "../safetensorsFile.js";

/** Rows between two writes that are forced to the disk. */
const SYNC_EVERY = 64;

/**
 * Rows of equal size that are appended to a file and survive a kill at any moment: a row that was cut short is written
 * again. The folder lies beside the output and also says what the rows are of, so that no other work goes on with them.
 */
export class RowStore {
  private constructor(
    private readonly folder: string,
    private readonly file: FileHandle,
    readonly rowBytes: number,
    private count: number,
  ) {}

  /** Opens the rows beside `out`, or begins them. Throws a `UserError` when they are of other work. */
  static async open(out: string, identity: Readonly<Record<string, unknown>>, rowBytes: number): Promise<RowStore> {
    const folder = `${out}.rows`;
    await mkdir(folder, { recursive: true });
    const [what, rows] = [join(folder, "identity.json"), join(folder, "rows.bin")];
    const text = `${JSON.stringify({ ...identity, rowBytes }, null, 2)}\n`;
    const before = await readIfPresent(what);
    if (before !== undefined && before !== text)
      throw new UserError(
        `${folder} holds rows of other work: ${difference(before, text)}; remove it, or choose another --out`,
      );
    if (before === undefined) await writeFileAtomically(what, text);
    const { size } = (await statIfPresent(rows)) ?? { size: 0 };
    const count = Math.floor(size / rowBytes);
    if (size !== count * rowBytes) await truncate(rows, count * rowBytes);
    return new RowStore(folder, await open(rows, "a+"), rowBytes, count);
  }

  /** Rows that are there. */
  get length(): number {
    return this.count;
  }

  async append(row: Uint8Array): Promise<void> {
    await this.file.appendFile(row);
    this.count++;
    if (this.count % SYNC_EVERY === 0) await this.file.datasync();
  }

  /** Rows first … last−1, one after another. */
  read(first: number, last: number): Promise<Uint8Array> {
    return readRange(this.file, first * this.rowBytes, (last - first) * this.rowBytes);
  }

  /** Closes the file; again, it does nothing. */
  close(): Promise<void> {
    return this.file.close();
  }

  /** Closes and forgets the rows: they have been written elsewhere. */
  async remove(): Promise<void> {
    await this.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The first field in which two identities differ. */
const difference = (before: string, now: string): string => {
  const [a, b] = [before, now].map((text) => JSON.parse(text) as Record<string, unknown>) as [
    Record<string, unknown>,
    Record<string, unknown>,
  ];
  const field = Object.keys({ ...a, ...b }).find((key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]))!;
  return `${field} was ${JSON.stringify(a[field])} and is ${JSON.stringify(b[field])}`;
};
