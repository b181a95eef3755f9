import { mkdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { isHeld, type LockOptions, takeLock, withLock } from "./lock.js";

export { FolderInUse, LockLost, type LockOptions, takeLock, withLock } from "./lock.js";

const lockOf = (folder: string): string => join(folder, ".lock");

/**
 * Claims a folder for this call, so that two never write to one. Returns what gives it back. Throws `FolderInUse` where it
 * is another's; a claim whose process is gone is taken over.
 */
export const lockFolder = async (folder: string, options: LockOptions = {}): Promise<() => Promise<void>> => {
  await mkdir(folder, { recursive: true });
  return (await takeLock(lockOf(folder), folder, options)).release;
};

/** `withLock` for a folder, which is made where it is missing. */
export const withFolder = async <T>(
  folder: string,
  options: LockOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const made = await mkdir(folder, { recursive: true });
  try {
    return await withLock(lockOf(folder), folder, options, work);
  } catch (thrown) {
    if (made !== undefined) await rmdir(folder).catch(() => {}); // a refusal leaves no empty folder
    throw thrown;
  }
};

/** Whether a process that lives has claimed a folder. Asks and writes nothing. */
export const isClaimed = (folder: string): Promise<boolean> => isHeld(lockOf(folder));
