import { mkdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { exhaustive } from "../../errors.js";
import { writeFileAtomically } from "../files.js";
import { type Begun, begunOf, discard, NOTHING, partPaths, problemOf, type Receiving, receive } from "./part.js";
import { type Patience, requestPatiently, unusable } from "./request.js";

export type DownloadOptions = Patience &
  Receiving & {
    /** SHA-256 that the file must have, or its first digits; by default the one that the server states, if it does. */
    readonly sha256?: string;
    /** Sent to the host of the URL, and to no other. */
    readonly token?: string;
    /** The ETag of the file that is there already: it is kept while the server has the same. */
    readonly etag?: string;
  };

/** What was downloaded; `missing`: the server has no such file. */
export type Downloaded = { readonly status: "new" | "unchanged" | "missing"; readonly etag?: string };

/** A checksum where the ETag is one: Hugging Face's hubs give that of large files so. */
const sha256In = (etag: string | null | undefined): string | undefined =>
  /^(?:W\/)?"?([0-9a-f]{64})"?$/.exec(etag ?? "")?.[1];

const statedSha256 = (headers: Headers): string | undefined =>
  sha256In(headers.get("x-linked-etag")) ?? sha256In(headers.get("etag"));

const headersFor = ({ size, version }: Begun, { token, etag }: DownloadOptions): Record<string, string> => ({
  "accept-encoding": "identity",
  ...(token && { authorization: `Bearer ${token}` }),
  ...(etag && { "if-none-match": etag }),
  ...(version && { range: `bytes=${size}-`, "if-range": version }),
});

/** `Content-Range: bytes 100-199/200`, or `bytes *\/200` where nothing was left to send; NaN where it does not say. */
const rangeOf = ({ headers }: Response): { from: number; total: number } => {
  const [, from, total] = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(headers.get("content-range") ?? "") ?? [];
  return { from: Number(from), total: Number(total) };
};

/**
 * What an answer is: the file (from its beginning), the rest of what was begun, the word that nothing is left, or one that
 * does not fit what was begun.
 */
type Kind = "unchanged" | "missing" | "file" | "rest" | "nothing left" | "unfitting" | "unusable";

const kindOf = (response: Response, { size, version }: Begun, known: string | undefined): Kind => {
  const { status, headers } = response;
  const sameVersion = (headers.get("etag") ?? version) === version;
  if (status === 304 && known) return "unchanged";
  if (status === 404) return "missing";
  if (status === 200) return "file";
  if (status !== 206 && status !== 416) return "unusable";
  if (version === undefined) return "unusable"; // no range was asked for
  const { from, total } = rangeOf(response);
  if (status === 206) return sameVersion && from === size ? "rest" : "unfitting";
  return sameVersion && total === size ? "nothing left" : "unfitting";
};

/**
 * Downloads a file: to a part beside it, whose bytes are kept when the connection breaks and asked for no second time; then
 * checked and renamed. A part that does not fit the server's answer is discarded, and the file asked for from its beginning,
 * once. Throws a `UserError` that names the URL when the server refuses, cannot be reached, or sends other bytes than it
 * states.
 */
export const download = async (url: string, file: string, options: DownloadOptions = {}): Promise<Downloaded> => {
  const part = partPaths(file);
  await mkdir(dirname(file), { recursive: true });
  const begun = await begunOf(part);
  return (await attempt(url, file, begun, options)) ?? (await attempt(url, file, NOTHING, options))!;
};

/** One request and what follows from it; undefined: what was begun did not fit, and is gone. */
const attempt = async (
  url: string,
  file: string,
  begun: Begun,
  options: DownloadOptions,
): Promise<Downloaded | undefined> => {
  const part = partPaths(file);
  const response = await requestPatiently(url, headersFor(begun, options), options);
  const kind = kindOf(response, begun, options.etag);
  if (kind !== "file" && kind !== "rest") await response.body?.cancel();
  switch (kind) {
    case "unchanged":
      return { status: "unchanged", ...(options.etag && { etag: options.etag }) };
    case "missing":
      return { status: "missing" };
    case "unusable":
      throw unusable(url, response);
    case "unfitting":
      return discard(part).then(() => undefined);
    case "file":
    case "rest":
    case "nothing left":
      return receiveAndCheck(url, response, kind, file, begun, options);
    default:
      return exhaustive(kind);
  }
};

const receiveAndCheck = async (
  url: string,
  response: Response,
  kind: "file" | "rest" | "nothing left",
  file: string,
  begun: Begun,
  options: DownloadOptions,
): Promise<Downloaded | undefined> => {
  const { headers } = response;
  const part = partPaths(file);
  const etag = headers.get("etag") ?? (kind === "file" ? undefined : begun.version);
  const total = kind === "file" ? Number(headers.get("content-length") ?? 0) : rangeOf(response).total || 0;
  if (kind === "file") {
    await discard(part);
    if (etag) await writeFileAtomically(part.etag, etag);
  }
  if (kind !== "nothing left")
    await receive(url, response, part.bytes, kind === "rest" ? begun.size : 0, total, options);
  const sha256 = options.sha256 ?? statedSha256(headers) ?? sha256In(etag);
  const problem = await problemOf(url, part.bytes, total, sha256);
  if (problem) await discard(part);
  if (problem && kind === "nothing left") return undefined;
  if (problem) throw problem;
  await rename(part.bytes, file);
  await rm(part.etag, { force: true });
  return { status: "new", ...(etag && { etag }) };
};
