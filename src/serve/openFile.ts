import { constants } from "node:fs";
import { type FileHandle, open, realpath } from "node:fs/promises";
import { join, sep } from "node:path";

/** Links are not followed, and a pipe without a writer does not keep whoever opens it. */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0);

/** A regular file that is open: whoever has it closes it. `modified` in milliseconds. */
export type OpenedFile = { readonly handle: FileHandle; readonly size: number; readonly modified: number };

/** Opens a regular file; undefined for what is absent or anything else: a folder, a link, a pipe, a device. */
export const openRegular = async (path: string): Promise<OpenedFile | undefined> => {
  const handle = await open(path, FLAGS).catch(() => undefined);
  if (handle === undefined) return undefined;
  const found = await handle.stat();
  if (found.isFile()) return { handle, size: found.size, modified: found.mtimeMs };
  await handle.close();
  return undefined;
};

/** The real path of what is below `root`, links resolved; undefined where it is absent or outside. */
export const realInside = async (root: string, name: string): Promise<string | undefined> => {
  const [base, real] = await Promise.all([realpath(root), realpath(join(root, name))]).catch(() => []);
  if (base === undefined || real === undefined) return undefined;
  return real === base || real.startsWith(base.endsWith(sep) ? base : base + sep) ? real : undefined;
};

/** Opens a regular file below `root`; undefined where there is none, or a link leads out. */
export const openInside = async (root: string, name: string): Promise<OpenedFile | undefined> => {
  const real = await realInside(root, name);
  return real === undefined ? undefined : openRegular(real);
};

/** At most `most` bytes of a file from `from` on, as text; it is closed. */
export const readText = async ({ handle }: OpenedFile, most: number, from = 0): Promise<string> => {
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(most), 0, most, from);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await handle.close();
  }
};
