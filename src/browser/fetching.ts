/** The part of the browser's cache that models are kept in. */
const CACHE = "soflow-models";

export type Progress = (file: string, loaded: number, total: number) => void;

const read = async (response: Response, file: string, onProgress: Progress): Promise<Uint8Array<ArrayBuffer>> => {
  const total = Number(response.headers.get("content-length") ?? 0);
  const parts: Uint8Array[] = [];
  let loaded = 0;
  const reader = response.body!.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    loaded += part.value.length;
    onProgress(file, loaded, Math.max(total, loaded));
  }
  const bytes = new Uint8Array(loaded);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
};

const fetched = async (url: string): Promise<Response> => {
  const response = await fetch(url).catch(() => undefined);
  if (!response) throw new Error(`${url} cannot be reached`);
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  return response;
};

/** A file that may have changed since it was last asked for. */
export const fetchJson = async <T>(url: string): Promise<T> => (await fetched(url)).json() as Promise<T>;

/** A file whose contents its checksum names: kept in the browser's cache under both. */
export const fetchKept = async (
  base: string,
  { name, sha256 }: { readonly name: string; readonly sha256: string },
  onProgress: Progress,
): Promise<Uint8Array<ArrayBuffer>> => {
  const kept = typeof caches === "undefined" ? undefined : await caches.open(CACHE).catch(() => undefined);
  const key = `${base}${name}?sha256=${sha256}`;
  const known = await kept?.match(key);
  if (known) return read(known, name, onProgress);
  const bytes = await read(await fetched(base + name), name, onProgress);
  const headers = { "content-length": String(bytes.length) };
  await kept?.put(key, new Response(bytes, { headers })).catch(() => {}); // a full cache is no reason to fail
  return bytes;
};
