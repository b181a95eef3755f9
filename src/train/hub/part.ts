import { open, readFile, rm, stat } from "node:fs/promises";
import { messageOf, UserError } from "../../errors.js";
import { sha256Of } from "../files.js";
import type { Patience } from "./request.js";

/** Where a download that was interrupted goes on, and of which version of the file it is. */
export const partPaths = (file: string) => ({ bytes: `${file}.part`, etag: `${file}.part.etag` });
export type Part = ReturnType<typeof partPaths>;

const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => undefined))?.size ?? 0;

/** What is there of a file: its bytes, and which version of the file they are of where the server named it. */
export type Begun = { readonly size: number; readonly version?: string };

export const NOTHING: Begun = { size: 0 };

export const begunOf = async (part: Part): Promise<Begun> => {
  const size = await sizeOf(part.bytes);
  const version = size > 0 ? await readFile(part.etag, "utf8").catch(() => undefined) : undefined;
  return version ? { size, version } : NOTHING;
};

export const discard = async (part: Part): Promise<void> => {
  await rm(part.bytes, { force: true });
  await rm(part.etag, { force: true });
};

export type Receiving = Pick<Patience, "signal"> & {
  /** Bytes that are there of those the server states (0: it does not say). */
  readonly onProgress?: (loaded: number, total: number) => void;
};

/** Appends what the server sends, from `start` on, to its end or a little beyond the `total` that it states. */
export const receive = async (
  url: string,
  response: Response,
  path: string,
  start: number,
  total: number,
  { onProgress, signal }: Receiving,
): Promise<void> => {
  const file = await open(path, start > 0 ? "a" : "w");
  let loaded = start;
  try {
    onProgress?.(loaded, total);
    for await (const chunk of response.body ?? []) {
      await file.appendFile(chunk);
      loaded += chunk.length;
      if (total > 0 && loaded > total) break; // more than it states, perhaps without end
      onProgress?.(loaded, total);
    }
    await file.sync();
  } catch (thrown) {
    signal?.throwIfAborted();
    throw new UserError(
      `${url} stopped after ${loaded} of ${total} bytes: ${messageOf(thrown)}; the same call goes on from there`,
    );
  } finally {
    await file.close();
  }
};

/** What is wrong with a part that was received to its end. Throws where it is not at its end yet. */
export const problemOf = async (
  url: string,
  path: string,
  total: number,
  sha256: string | undefined,
): Promise<UserError | undefined> => {
  const size = await sizeOf(path);
  if (total > 0 && size < total)
    throw new UserError(`${url} stopped after ${size} of ${total} bytes; the same call goes on from there`);
  const found = sha256 === undefined ? undefined : await sha256Of(path);
  if ((total === 0 || size === total) && (found ?? "").startsWith(sha256 ?? "")) return undefined;
  const what = found === undefined ? `${size} bytes, not ${total}` : `the SHA-256 ${found}, not ${sha256}`;
  return new UserError(`${url} was received with ${what}; it has been removed, the same call begins anew`);
};
