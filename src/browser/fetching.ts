/** The part of the browser's cache that models are kept in. */
const CACHE = "soflow-models";

export type Headers = Readonly<Record<string, string>>;

/** Bytes of an answer of `size` bytes; `onBytes` is told of each part. */
const read = async (
  response: Response,
  size: number,
  onBytes: (count: number) => void,
): Promise<Uint8Array<ArrayBuffer>> => {
  const bytes = new Uint8Array(size);
  let at = 0;
  const reader = response.body!.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if (at + part.value.length > size) throw new Error(`${response.url} has more than its ${size} bytes`);
    bytes.set(part.value, at);
    at += part.value.length;
    onBytes(part.value.length);
  }
  if (at < size) throw new Error(`${response.url} ended after ${at} of its ${size} bytes`);
  return bytes;
};

const fetched = async (url: string, headers: Headers): Promise<Response> => {
  const response = await fetch(url, { headers }).catch(() => undefined);
  if (!response) throw new Error(`${url} cannot be reached`);
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  return response;
};

/** A file that may have changed since it was last asked for. */
export const fetchJson = async <T>(url: string, headers: Headers): Promise<T> =>
  (await fetched(url, headers)).json().catch(() => {
    throw new Error(`${url} is not JSON`);
  }) as Promise<T>;

/** A file as a manifest lists it. */
export type KeptFile = { readonly name: string; readonly bytes: number; readonly sha256: string };

/** A file whose contents its checksum names: kept in the browser's cache under both. */
export const fetchKept = async (
  base: string,
  { name, bytes: size, sha256 }: KeptFile,
  headers: Headers,
  onBytes: (count: number) => void,
): Promise<Uint8Array<ArrayBuffer>> => {
  const kept = typeof caches === "undefined" ? undefined : await caches.open(CACHE).catch(() => undefined);
  const key = `${base}${name}?sha256=${sha256}`;
  const known = await kept?.match(key);
  if (known) return read(known, size, onBytes);
  const bytes = await read(await fetched(base + name, headers), size, onBytes);
  await kept?.put(key, new Response(bytes)).catch(() => {}); // a full cache is no reason to fail
  return bytes;
};
