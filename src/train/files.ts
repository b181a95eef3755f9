import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { messageOf, UserError } from "../errors.js";

/** Appends bytes to the file that is being written. */
export type Write = (bytes: Uint8Array | string) => Promise<void>;

const TEMPORARY = /^\..*\.tmp$/;

/** Whether a file name is that of an unfinished write, which a killed process may leave behind. */
export const isTemporary = (name: string): boolean => TEMPORARY.test(name);

const flushFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder).catch(() => undefined); // Windows cannot open folders; there the rename is all there is
  await handle?.sync().catch(() => {});
  await handle?.close();
};

const explain = (path: string, thrown: unknown): UserError => {
  const reason = (thrown as NodeJS.ErrnoException).code === "ENOSPC" ? "the disk is full" : messageOf(thrown);
  return new UserError(`${path} could not be written: ${reason}; what was there before is unchanged`);
};

/**
 * Writes a file so that it is either whole or not there: to a temporary name beside it, flushed to the disk, then
 * renamed. On any error the temporary file is removed and what was there before is untouched.
 */
export const writeAtomically = async (path: string, fill: (write: Write) => Promise<void>): Promise<void> => {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  let file: FileHandle | undefined;
  try {
    file = await open(temporary, "w");
    const handle = file;
    await fill(async (bytes) => {
      await handle.writeFile(bytes);
    });
    await file.sync();
    await file.close();
    await rename(temporary, path);
    await flushFolder(dirname(path));
  } catch (thrown) {
    await file?.close().catch(() => {});
    await rm(temporary, { force: true });
    throw thrown instanceof UserError ? thrown : explain(path, thrown);
  }
};

/** `writeAtomically` for bytes that are at hand. */
export const writeFileAtomically = (path: string, bytes: Uint8Array | string): Promise<void> =>
  writeAtomically(path, (write) => write(bytes));

/** SHA-256 of a file, in hex. */
export const sha256Of = async (path: string): Promise<string> => {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
};
