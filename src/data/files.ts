import { type FileHandle, open, stat } from "node:fs/promises";
import { UserError } from "../errors.js";
import { isPassing, reasonOf, statIfPresent } from "../files/index.js";
import { PassingError } from "./dataset.js";

/** Throws a `UserError` unless there is a folder at this path. */
export const requireFolder = async (path: string, holds: string): Promise<void> => {
  const found = await statIfPresent(path);
  if (!found) throw new UserError(`data.path: there is no folder ${path}; give one that holds ${holds}`);
  if (!found.isDirectory()) throw new UserError(`data.path: ${path} is a file; give a folder that holds ${holds}`);
};

/** More bytes than a file that is read whole may have: what one array holds everywhere. */
const LARGEST_FILE = 2 ** 31 - 1;

/** The error for a file of data that could not be read; what says so already is taken as it is. */
export const cannotRead = (path: string, thrown: unknown): UserError => {
  if (thrown instanceof UserError) return thrown;
  const message = `${path} cannot be read: ${reasonOf(thrown)}`;
  return isPassing(thrown) ? new PassingError(message) : new UserError(message);
};

/** Opens a plain file and gives its size; a pipe, which would be waited for, is not opened. Throws as `readBytes`. */
export const openFile = async (path: string): Promise<{ readonly file: FileHandle; readonly size: number }> => {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw new UserError(`${path} cannot be read: it is no plain file`);
    return { file: await open(path), size: found.size };
  } catch (thrown) {
    throw cannotRead(path, thrown);
  }
};

/**
 * A file's bytes, at most `most`. Throws a `UserError` that names the file when it is gone, may not be read, is no plain file
 * or is larger; a `PassingError` when the system could not read it at this moment.
 */
export const readBytes = async (path: string, most = LARGEST_FILE): Promise<Uint8Array> => {
  const { file, size } = await openFile(path);
  try {
    if (size > most) throw new UserError(`${path} has ${size} bytes; at most ${most} are read`);
    return await file.readFile();
  } catch (thrown) {
    throw cannotRead(path, thrown);
  } finally {
    await file.close();
  }
};
