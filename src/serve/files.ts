import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".json": "application/json",
  ".webmanifest": "application/manifest+json",
  ".wasm": "application/wasm",
};

/** What a file is, by its ending. */
export const contentType = (name: string): string => TYPES[extname(name)] ?? "application/octet-stream";

/** Where `npm run build:web` puts the app. */
export const BUILT_APP = fileURLToPath(new URL("../../dist/web", import.meta.url));

/** A file of the app as it is sent. */
export type AppFile = { readonly type: string; readonly bytes: Uint8Array<ArrayBuffer>; readonly lasting: boolean };

/**
 * The files of the built app by URL path; none where it is not built. They are read once, so that a request can name
 * nothing but one of them.
 */
export const readApp = async (folder: string): Promise<ReadonlyMap<string, AppFile>> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = new Map<string, AppFile>();
  for (const entry of entries) {
    const type = TYPES[extname(entry.name)];
    if (!entry.isFile() || type === undefined) continue;
    const path = join(entry.parentPath, entry.name);
    const url = path.slice(folder.length).split("\\").join("/");
    const bytes = new Uint8Array(await readFile(path));
    files.set(url === "/index.html" ? "/" : url, { type, bytes, lasting: url.startsWith("/assets/") }); // named by hash
  }
  return files;
};
