import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import type { Context } from "hono";
import { contentType } from "./files.js";

/**
 * Sends a file of any size from its place on the disk. What the client has already, by its tag, is not sent again.
 */
export const sendFile = async (c: Context, path: string): Promise<Response> => {
  const { size, mtimeMs } = await stat(path);
  const tag = `"${size}-${Math.round(mtimeMs)}"`;
  const headers = { "Cache-Control": "no-cache", ETag: tag };
  if (c.req.header("If-None-Match") === tag) return c.body(null, 304, headers);
  const body = Readable.toWeb(createReadStream(path)) as ReadableStream<Uint8Array>;
  return c.body(body, 200, { ...headers, "Content-Type": contentType(path), "Content-Length": String(size) });
};
