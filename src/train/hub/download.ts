import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { messageOf, UserError } from "../../errors.js";
import { sha256Of, writeFileAtomically } from "../files.js";

export type DownloadOptions = {
  /** SHA-256 that the file must have, or its first digits; by default the one that the server states, if it does. */
  readonly sha256?: string;
  /** Sent to the host of the URL, and to no other. */
  readonly token?: string;
  /** The ETag of the file that is there already: it is kept while the server has the same. */
  readonly etag?: string;
  readonly signal?: AbortSignal;
  /** Bytes that are there of those the server states (0: it does not say). */
  readonly onProgress?: (loaded: number, total: number) => void;
};

/** What was downloaded; `missing`: the server has no such file. */
export type Downloaded = { readonly status: "new" | "unchanged" | "missing"; readonly etag?: string };

/** Where a download that was interrupted goes on, and of which version of the file it is. */
const partPaths = (file: string) => ({ bytes: `${file}.part`, etag: `${file}.part.etag` });

const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => undefined))?.size ?? 0;

/** A checksum where the ETag is one: Hugging Face's hubs give that of large files so. */
const statedSha256 = (headers: Headers): string | undefined =>
  [headers.get("x-linked-etag"), headers.get("etag")]
    .map((tag) => /^(?:W\/)?"?([0-9a-f]{64})"?$/.exec(tag ?? "")?.[1])
    .find((sum) => sum !== undefined);

const request = async (url: string, headers: Record<string, string>, signal: AbortSignal | undefined) => {
  try {
    return await fetch(url, { headers, ...(signal && { signal }) }); // a redirect to another host loses the token
  } catch (thrown) {
    signal?.throwIfAborted();
    const cause = (thrown as Error).cause;
    throw new UserError(`${url} cannot be reached: ${messageOf(cause ?? thrown)}`);
  }
};

/** Appends what the server sends, from `start` on. */
const receive = async (
  response: Response,
  path: string,
  start: number,
  total: number,
  { onProgress, signal }: DownloadOptions,
): Promise<void> => {
  const file = await open(path, start > 0 ? "a" : "w");
  let loaded = start;
  try {
    onProgress?.(loaded, total);
    for await (const chunk of response.body ?? []) {
      await file.appendFile(chunk);
      loaded += chunk.length;
      onProgress?.(loaded, total);
    }
    await file.sync();
  } catch (thrown) {
    signal?.throwIfAborted();
    throw new UserError(
      `${response.url} stopped after ${loaded} of ${total} bytes: ${messageOf(thrown)}; the same call goes on from there`,
    );
  } finally {
    await file.close();
  }
};

/** Bytes of the whole file, as the answer states them: `Content-Range: bytes 100-199/200`, or `Content-Length: 200`. */
const totalOf = ({ status, headers }: Response): number =>
  Number(status === 206 ? (headers.get("content-range")?.split("/")[1] ?? 0) : (headers.get("content-length") ?? 0));

/**
 * Downloads a file: to a part beside it, whose bytes are kept when the connection breaks and asked for no second time; then
 * checked and renamed. Throws a `UserError` that names the URL when the server refuses, cannot be reached, or sends
 * other bytes than it states.
 */
export const download = async (url: string, file: string, options: DownloadOptions = {}): Promise<Downloaded> => {
  const { token, etag: known, signal } = options;
  const part = partPaths(file);
  await mkdir(dirname(file), { recursive: true });
  const begun = await sizeOf(part.bytes);
  const version = begun > 0 ? await readFile(part.etag, "utf8").catch(() => undefined) : undefined;
  const response = await request(
    url,
    {
      "accept-encoding": "identity",
      ...(token && { authorization: `Bearer ${token}` }),
      ...(known && { "if-none-match": known }),
      ...(version && { range: `bytes=${begun}-`, "if-range": version }),
    },
    signal,
  );
  if (response.status === 304) return { status: "unchanged", ...(known && { etag: known }) };
  if (response.status === 404) return { status: "missing" };
  if (response.status === 416) {
    await response.body?.cancel();
    await rm(part.bytes, { force: true }); // longer than the file is now: from the beginning
    return download(url, file, options);
  }
  if (!response.ok) throw new UserError(`${url} answers ${response.status} ${response.statusText}`);
  const etag = response.headers.get("etag") ?? undefined;
  if (etag !== undefined && etag !== version) await writeFileAtomically(part.etag, etag);
  const total = totalOf(response);
  await receive(response, part.bytes, response.status === 206 ? begun : 0, total, options);
  await checkPart(url, part.bytes, total, options.sha256 ?? statedSha256(response.headers));
  await rename(part.bytes, file);
  await rm(part.etag, { force: true });
  return { status: "new", ...(etag && { etag }) };
};

const checkPart = async (url: string, path: string, total: number, sha256: string | undefined): Promise<void> => {
  const size = await sizeOf(path);
  if (total > 0 && size < total)
    throw new UserError(`${url} stopped after ${size} of ${total} bytes; the same call goes on from there`);
  const found = sha256 === undefined ? undefined : await sha256Of(path);
  if ((total > 0 && size > total) || !(found ?? "").startsWith(sha256 ?? "")) {
    await rm(path, { force: true });
    const what = found === undefined ? `${size} bytes, not ${total}` : `the SHA-256 ${found}, not ${sha256}`;
    throw new UserError(`${url} was received with ${what}; it has been removed, the same call begins anew`);
  }
};
