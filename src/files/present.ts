import { type Stats, statSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { codeOf, unreadable } from "./reasons.js";

/**
 * What `read` gives of a path, or undefined where nothing is there. Only ENOENT means that: what is there and cannot be
 * read (EACCES, EIO, EMFILE, …) throws a `UserError` that names it, for to begin anew in its place would lose it.
 */
export const unlessAbsent = async <T>(path: string, read: () => Promise<T>): Promise<T | undefined> => {
  try {
    return await read();
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return undefined;
    throw unreadable(path, thrown);
  }
};

/** The text of a file, or undefined where there is none. Throws as `unlessAbsent`. */
export const readIfPresent = (path: string): Promise<string | undefined> =>
  unlessAbsent(path, () => readFile(path, "utf8"));

/** The names in a folder, or undefined where there is none. Throws as `unlessAbsent`. */
export const listIfPresent = (folder: string): Promise<string[] | undefined> =>
  unlessAbsent(folder, () => readdir(folder));

/** What lies at a path, or undefined where nothing does; below a file nothing does. Throws as `unlessAbsent`. */
export const statIfPresent = (path: string): Promise<Stats | undefined> =>
  unlessAbsent(path, async () => {
    try {
      return await stat(path);
    } catch (thrown) {
      if (codeOf(thrown) === "ENOTDIR") return undefined;
      throw thrown;
    }
  });

/** Whether something lies at a path; below a file nothing does. Throws as `unlessAbsent`. */
export const isPresent = (path: string): boolean => {
  try {
    statSync(path);
    return true;
  } catch (thrown) {
    if (["ENOENT", "ENOTDIR"].includes(codeOf(thrown) ?? "")) return false;
    throw unreadable(path, thrown);
  }
};
