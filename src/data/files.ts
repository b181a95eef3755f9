import { type FileHandle, open, stat } from "node:fs/promises";
import { messageOf, UserError } from "../errors.js";

/** Throws a `UserError` unless there is a folder at this path. */
export const requireFolder = async (path: string, holds: string): Promise<void> => {
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new UserError(`data.path: there is no folder ${path}; give one that holds ${holds}`);
  if (!found.isDirectory()) throw new UserError(`data.path: ${path} is a file; give a folder that holds ${holds}`);
};

/** More bytes than a file that is read whole may have: what one array holds everywhere. */
const LARGEST_FILE = 2 ** 31 - 1;

/** What makes it impossible to read a file, as a `UserError` that names it. */
const unreadable = (path: string, thrown: unknown): UserError =>
  thrown instanceof UserError ? thrown : new UserError(`${path} cannot be read: ${messageOf(thrown)}`);

/** Opens a plain file and gives its size; a pipe, which would be waited for, is not opened. Throws a `UserError`. */
export const openFile = async (path: string): Promise<{ readonly file: FileHandle; readonly size: number }> => {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw new UserError(`${path} cannot be read: it is no plain file`);
    return { file: await open(path), size: found.size };
  } catch (thrown) {
    throw unreadable(path, thrown);
  }
};

/**
 * A file's bytes, at most `most`. Throws a `UserError` that names the file when it is gone, may not be read, is no plain file
 * or is larger.
 */
export const readBytes = async (path: string, most = LARGEST_FILE): Promise<Uint8Array> => {
  const { file, size } = await openFile(path);
  try {
    if (size > most) throw new UserError(`${path} has ${size} bytes; at most ${most} are read`);
    return await file.readFile();
  } catch (thrown) {
    throw unreadable(path, thrown);
  } finally {
    await file.close();
  }
};
