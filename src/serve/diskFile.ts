import { Readable } from "node:stream";
import type { Context } from "hono";
import { whenOver } from "./connection.js";
import { contentType } from "./files.js";
import { type OpenedFile, openRegular } from "./openFile.js";

/** Sends an open file as a stream, and closes it. What the client has already, by its tag, is not sent again. */
export const sendOpened = async (
  c: Context,
  { handle, size, modified }: OpenedFile,
  headers: Readonly<Record<string, string>>,
): Promise<Response> => {
  const tag = `"${size}-${Math.round(modified)}"`;
  const known = c.req.header("If-None-Match") === tag;
  const all = { ...headers, ETag: tag, ...(!known && { "Content-Length": String(size) }) };
  if (known || size === 0 || c.req.method === "HEAD") {
    await handle.close();
    return c.body(null, known ? 304 : 200, all);
  }
  const stream = handle.createReadStream({ start: 0, end: size - 1 }); // of one that grows, what was there
  stream.on("error", () => {}); // the client learns it from its connection
  whenOver(c, () => stream.destroy());
  return c.body(Readable.toWeb(stream) as ReadableStream<Uint8Array>, 200, all);
};

/** Sends a file of any size from its place on the disk. */
export const sendFile = async (c: Context, path: string): Promise<Response> => {
  const file = await openRegular(path);
  if (file === undefined) throw new Error(`${path} is no longer there`);
  return sendOpened(c, file, { "Cache-Control": "no-cache", "Content-Type": contentType(path) });
};
