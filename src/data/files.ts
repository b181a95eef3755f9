import { open, stat } from "node:fs/promises";
import { messageOf, UserError } from "../errors.js";

/** Throws a `UserError` unless there is a folder at this path. */
export const requireFolder = async (path: string, holds: string): Promise<void> => {
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new UserError(`data.path: there is no folder ${path}; give one that holds ${holds}`);
  if (!found.isDirectory()) throw new UserError(`data.path: ${path} is a file; give a folder that holds ${holds}`);
};

/** More bytes than a file that is read whole may have: what one array holds everywhere. */
const LARGEST_FILE = 2 ** 31 - 1;

/**
 * A file's bytes, at most `most`. Throws a `UserError` that names the file when it is gone, may not be read, is no plain file
 * or is larger.
 */
export const readBytes = async (path: string, most = LARGEST_FILE): Promise<Uint8Array> => {
  try {
    const file = await open(path);
    try {
      const found = await file.stat();
      if (!found.isFile()) throw new UserError(`${path} cannot be read: it is no plain file`);
      if (found.size > most) throw new UserError(`${path} has ${found.size} bytes; at most ${most} are read`);
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (thrown) {
    if (thrown instanceof UserError) throw thrown;
    throw new UserError(`${path} cannot be read: ${messageOf(thrown)}`);
  }
};
