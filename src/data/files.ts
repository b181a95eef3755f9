import { readFile, stat } from "node:fs/promises";
import { messageOf, UserError } from "../errors.js";

/** Throws a `UserError` unless there is a folder at this path. */
export const requireFolder = async (path: string, holds: string): Promise<void> => {
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new UserError(`data.path: there is no folder ${path}; give one that holds ${holds}`);
  if (!found.isDirectory()) throw new UserError(`data.path: ${path} is a file; give a folder that holds ${holds}`);
};

/** A file's bytes. Throws a `UserError` that names the file when it is gone or may not be read. */
export const readBytes = async (path: string): Promise<Uint8Array> => {
  try {
    return await readFile(path);
  } catch (thrown) {
    throw new UserError(`${path} cannot be read: ${messageOf(thrown)}`);
  }
};
