import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { appendFile, type FileHandle, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { UserError } from "../errors.js";
import { codeOf, reasonOf, unreadable } from "../files/index.js";

/** Appends bytes to the file that is being written. */
export type Write = (bytes: Uint8Array | string) => Promise<void>;

const TEMPORARY = /^\.(.*)\.\d+\.tmp$/;

/** The file that an unfinished write was of, which a killed process may leave behind under a temporary name. */
const unfinished = (name: string): string | undefined => TEMPORARY.exec(name)?.[1];

const flushFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder).catch(() => undefined); // Windows cannot open folders; there the rename is all there is
  await handle?.sync().catch(() => {});
  await handle?.close();
};

const unwritten = (path: string, thrown: unknown): string => `${path} could not be written: ${reasonOf(thrown)}`;

/** The error for a write that failed, except where what it was given to write is at fault. */
const explain = (path: string, thrown: unknown): Error =>
  thrown instanceof UserError
    ? thrown
    : new UserError(`${unwritten(path, thrown)}; what was there before is unchanged`);

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
    throw explain(path, thrown);
  }
};

/** `writeAtomically` for bytes that are at hand. */
export const writeFileAtomically = (path: string, bytes: Uint8Array | string): Promise<void> =>
  writeAtomically(path, (write) => write(bytes));

/** Adds to the end of a file. Throws a `UserError` that names it, as when the disk is full. */
export const appendTo = async (path: string, bytes: Uint8Array | string): Promise<void> => {
  try {
    await appendFile(path, bytes);
  } catch (thrown) {
    throw new UserError(unwritten(path, thrown));
  }
};

/** Makes a folder and those above it. Throws a `UserError` that names it. */
export const makeFolder = async (folder: string): Promise<void> => {
  try {
    await mkdir(folder, { recursive: true });
  } catch (thrown) {
    throw new UserError(`the folder ${folder} could not be made: ${reasonOf(thrown)}`);
  }
};

/**
 * Removes from a folder what killed processes left half-written of the files that `ours` accepts. Whoever calls it holds
 * the folder's lock and is the only one to write these.
 */
export const removeLeftovers = async (folder: string, ours: (file: string) => boolean): Promise<void> => {
  const names = await readdir(folder).catch((thrown: unknown) => {
    if (codeOf(thrown) === "ENOENT") return [];
    throw unreadable(folder, thrown);
  });
  const left = names.filter((name) => ours(unfinished(name) ?? ""));
  for (const name of left) await rm(join(folder, name), { force: true });
};

/** SHA-256 of a file, in hex. Throws a `UserError` that names it when it cannot be read to its end. */
export const sha256Of = async (path: string): Promise<string> => {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  } catch (thrown) {
    throw unreadable(path, thrown);
  }
  return hash.digest("hex");
};
