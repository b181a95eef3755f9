/** The part of the browser's cache that models are kept in, and the one that they were kept in without being checked. */
const [CACHE, UNCHECKED] = ["soflow-files", "soflow-models"];

export type Headers = Readonly<Record<string, string>>;

/** A file as a manifest lists it. */
export type KeptFile = { readonly name: string; readonly bytes: number; readonly sha256: string };

/** What came is not what the manifest lists: an old file from a cache, or one that was cut off. */
class Mismatch extends Error {}

/** Bytes of an answer of `size` bytes; `onBytes` is told of each part. */
const read = async (
  response: Response,
  url: string,
  size: number,
  onBytes: (count: number) => void,
): Promise<Uint8Array<ArrayBuffer>> => {
  const bytes = new Uint8Array(size);
  let at = 0;
  const reader = response.body!.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if (at + part.value.length > size) {
      void reader.cancel().catch(() => {});
      throw new Mismatch(`${url} has more than its ${size} bytes`);
    }
    bytes.set(part.value, at);
    at += part.value.length;
    onBytes(part.value.length);
  }
  if (at < size) throw new Mismatch(`${url} ended after ${at} of its ${size} bytes`);
  return bytes;
};

const fetched = async (url: string, init: RequestInit): Promise<Response> => {
  const response = await fetch(url, init).catch(() => undefined);
  if (!response && init.integrity)
    throw new Mismatch(`${url} cannot be reached, or its SHA-256 is not the one in the manifest`);
  if (!response) throw new Error(`${url} cannot be reached`);
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  return response;
};

/** A file that may have changed since it was last asked for. */
export const fetchJson = async <T>(url: string, headers: Headers): Promise<T> =>
  (await fetched(url, { headers, cache: "no-cache" })).json().catch(() => {
    throw new Error(`${url} is not JSON`);
  }) as Promise<T>;

const hexOf = (bytes: ArrayBuffer): string =>
  Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Pages that came over plain HTTP, other than from this machine, have neither `crypto.subtle` nor a cache to keep files in. */
const canHash = (): boolean => globalThis.crypto?.subtle !== undefined;

/** The same checksum as `fetch` checks it, where the page cannot. */
const integrityOf = (sha256: string): string =>
  `sha256-${btoa(String.fromCharCode(...(sha256.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16))))}`;

/** Reads a file and checks it. Throws a `Mismatch` where it is another. */
const checked = async (
  response: Response,
  url: string,
  { bytes: size, sha256 }: KeptFile,
  onBytes: (count: number) => void,
): Promise<Uint8Array<ArrayBuffer>> => {
  let count = 0;
  try {
    const bytes = await read(response, url, size, (more) => {
      count += more;
      onBytes(more);
    });
    const found = canHash() ? hexOf(await crypto.subtle.digest("SHA-256", bytes)) : sha256;
    if (found !== sha256)
      throw new Mismatch(`${url} is not the file in the manifest: its SHA-256 is ${found}, expected ${sha256}`);
    return bytes;
  } catch (thrown) {
    onBytes(-count); // none of it counts
    throw thrown;
  }
};

/** A file from the network; where a cache on the way has another under its name, once more past all caches. */
const fetchChecked = async (
  url: string,
  file: KeptFile,
  headers: Headers,
  onBytes: (count: number) => void,
): Promise<Uint8Array<ArrayBuffer>> => {
  const init: RequestInit = canHash() ? { headers } : { headers, integrity: integrityOf(file.sha256) };
  const from = async (cache: RequestCache) => checked(await fetched(url, { ...init, cache }), url, file, onBytes);
  return from("default").catch((thrown: unknown) => {
    if (thrown instanceof Mismatch) return from("reload");
    throw thrown;
  });
};

const openCache = async (): Promise<Cache | undefined> => {
  if (typeof caches === "undefined" || !canHash()) return undefined;
  await caches.delete(UNCHECKED).catch(() => false);
  return caches.open(CACHE).catch(() => undefined);
};

/**
 * A file whose contents its checksum names: kept in the browser's cache under that, once it was checked. Rejects where the
 * server has another file.
 */
export const fetchKept = async (
  base: string,
  file: KeptFile,
  headers: Headers,
  onBytes: (count: number) => void,
): Promise<Uint8Array<ArrayBuffer>> => {
  const [url, key] = [base + file.name, new URL(`/soflow-files/${file.sha256}`, base).href];
  const cache = await openCache();
  const known = await cache?.match(key);
  const kept = known && (await checked(known, key, file, onBytes).catch(() => undefined)); // damaged: fetch it again
  if (kept) return kept;
  const bytes = await fetchChecked(url, file, headers, onBytes);
  await cache?.put(key, new Response(bytes)).catch(() => {}); // a full cache is no reason to fail
  return bytes;
};
