import { readFile } from "node:fs/promises";
import { UserError } from "../errors.js";
import { isPassing, reasonOf, statIfPresent } from "../files/index.js";
import { PassingError } from "./dataset.js";

/** Throws a `UserError` unless there is a folder at this path. */
export const requireFolder = async (path: string, holds: string): Promise<void> => {
  const found = await statIfPresent(path);
  if (!found) throw new UserError(`data.path: there is no folder ${path}; give one that holds ${holds}`);
  if (!found.isDirectory()) throw new UserError(`data.path: ${path} is a file; give a folder that holds ${holds}`);
};

/** The error for a file of data that could not be read; what says so already is taken as it is. */
export const cannotRead = (path: string, thrown: unknown): UserError => {
  if (thrown instanceof UserError) return thrown;
  const message = `${path} cannot be read: ${reasonOf(thrown)}`;
  return isPassing(thrown) ? new PassingError(message) : new UserError(message);
};

/**
 * A file's bytes. Throws a `UserError` that names the file when it is gone or may not be read, a `PassingError` when the
 * system could not read it at this moment.
 */
export const readBytes = async (path: string): Promise<Uint8Array> => {
  try {
    return await readFile(path);
  } catch (thrown) {
    throw cannotRead(path, thrown);
  }
};
