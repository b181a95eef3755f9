import { type FileHandle, open, stat } from "node:fs/promises";
import { UserError } from "../errors.js";
import { unlessAbsent } from "../files/index.js";
import { shown } from "../formats/randomAccess.js";
import {
  decodeTensor,
  encodeHeader,
  headerLength,
  parseHeader,
  type SafetensorsHeader,
} from "../formats/safetensors.js";
import { writeAtomically } from "./files.js";

/** A tensor to be stored, float32 unless it says otherwise; its values are asked for when their turn comes. */
export type StoredTensor = {
  readonly name: string;
  readonly shape: readonly number[];
  readonly precision?: "float32" | "float64";
  readonly read: () => Promise<Float32Array | Float64Array>;
};

/**
 * Writes tensors one after another, so that at most one is held beside what the caller holds.
 * `observe` sees all bytes in order, for a checksum.
 */
export const writeSafetensors = (
  path: string,
  tensors: readonly StoredTensor[],
  metadata: Readonly<Record<string, string>>,
  observe: (bytes: Uint8Array) => void = () => {},
): Promise<void> =>
  writeAtomically(path, async (write) => {
    const put = (bytes: Uint8Array): Promise<void> => {
      observe(bytes);
      return write(bytes);
    };
    await put(
      encodeHeader(
        tensors.map(({ name, shape, precision }) => ({ name, shape, dtype: precision === "float64" ? "F64" : "F32" })),
        metadata,
      ),
    );
    for (const { read } of tensors) {
      const data = await read();
      await put(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
  });

/** Bytes of a part of a file; fewer where it ends before. */
export const readRange = async (file: FileHandle, start: number, size: number): Promise<Uint8Array> => {
  const bytes = new Uint8Array(size);
  for (let done = 0; done < size; ) {
    const { bytesRead } = await file.read(bytes, done, size - done, start + done);
    if (bytesRead === 0) return bytes.subarray(0, done);
    done += bytesRead;
  }
  return bytes;
};

/** A safetensors file whose tensors are read one by one. */
export type OpenSafetensors = {
  readonly path: string;
  readonly header: SafetensorsHeader;
  /** The values as float32, whatever float type they are stored in. */
  readonly read: (name: string) => Promise<Float32Array<ArrayBuffer>>;
  /** The values as they are stored: of float64 those, of any other float type float32. */
  readonly readWhole: (name: string) => Promise<Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>>;
  readonly close: () => Promise<void>;
};

/** Opens a plain file and gives its size. Throws a `UserError` where there is none, or it may not be read. */
export const openPlainFile = async (
  path: string,
  wanted = "a file",
): Promise<{ readonly file: FileHandle; readonly size: number }> => {
  const found = await unlessAbsent(path, () => stat(path));
  if (!found) throw new UserError(`there is no file ${path}`);
  if (!found.isFile())
    // a pipe would be waited for
    throw new UserError(`${path} is ${found.isDirectory() ? "a folder" : "no plain file"}; give ${wanted}`);
  const file = await unlessAbsent(path, () => open(path));
  if (!file) throw new UserError(`there is no file ${path}`);
  return { file, size: found.size };
};

/** Opens and checks a file; throws a `UserError` that names it when it is not whole. */
export const openSafetensors = async (path: string): Promise<OpenSafetensors> => {
  const { file, size } = await openPlainFile(path);
  try {
    const length = headerLength(await readRange(file, 0, Math.min(8, size)), size, path);
    const header = parseHeader(await readRange(file, 8, length), size, path);
    const readWhole = (name: string) => readTensor(file, header, path, name);
    const read = async (name: string) => toFloat32(await readWhole(name));
    return { path, header, read, readWhole, close: () => file.close() };
  } catch (thrown) {
    await file.close();
    throw thrown;
  }
};

/** The nearest float32 values. */
export const toFloat32 = <T extends ArrayBufferLike>(data: Float32Array<T> | Float64Array<T>) =>
  data instanceof Float32Array ? data : Float32Array.from(data);

const readTensor = async (
  file: FileHandle,
  header: SafetensorsHeader,
  path: string,
  name: string,
): Promise<Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>> => {
  const entry = header.entries.get(name);
  if (!entry) throw new UserError(`${path} has no tensor ${name}`);
  const size = entry.end - entry.start;
  const bytes = await readRange(file, header.dataStart + entry.start, size);
  if (bytes.length < size) throw new UserError(`${path} is truncated: tensor ${shown(name)} is not whole`);
  const data = decodeTensor(entry.dtype, bytes);
  if (data instanceof Float32Array || data instanceof Float64Array) return data;
  throw new UserError(`${path}: tensor ${shown(name)} has element type ${entry.dtype}; weights are floats`);
};
