import { type UnzipFileInfo, unzipSync, zipSync } from "fflate";
import { UserError } from "../errors.js";
import { shown } from "./randomAccess.js";

/** A dense array of a .npy file: bytes, floats or 64-bit integers, row by row. */
export type NpyArray = {
  readonly shape: readonly number[];
  readonly data: Uint8Array | Float32Array | Float64Array | BigInt64Array;
};

const MAGIC = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59); // \x93NUMPY
const TYPES = { "|u1": Uint8Array, "<f4": Float32Array, "<f8": Float64Array, "<i8": BigInt64Array } as const;
type Code = keyof typeof TYPES;

const codeOf = (data: NpyArray["data"]): Code =>
  (Object.keys(TYPES) as Code[]).find((code) => data instanceof TYPES[code])!;

/** The bytes of a .npy file, version 1.0. */
export const encodeNpy = ({ shape, data }: NpyArray): Uint8Array => {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const text = `{'descr': '${codeOf(data)}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const length = Math.ceil((MAGIC.length + 4 + text.length + 1) / 64) * 64 - MAGIC.length - 4; // data begin at a multiple of 64
  const header = new TextEncoder().encode(`${text.padEnd(length - 1)}\n`);
  const bytes = new Uint8Array(MAGIC.length + 4 + length + data.byteLength);
  bytes.set(MAGIC);
  bytes.set([1, 0, length & 0xff, length >> 8], MAGIC.length);
  bytes.set(header, MAGIC.length + 4);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), MAGIC.length + 4 + length);
  return bytes;
};

/** Axes and size of an array's header, which is a Python dictionary in text. */
const MOST_AXES = 32;
const LARGEST_HEADER = 2 ** 16;

/** What a .npy header says: its text, and where the numbers begin. */
const npyHeader = (bytes: Uint8Array, file: string): { text: string; end: number } => {
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) throw new UserError(`${file} is not a .npy file`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = bytes[6]! > 1 ? 12 : 10;
  if (bytes.length < start) throw new UserError(`${file} is truncated: its header is not whole`);
  const end = start + (start === 12 ? view.getUint32(8, true) : view.getUint16(8, true));
  if (end > bytes.length || end > LARGEST_HEADER)
    throw new UserError(`${file} is truncated or damaged: its header would have ${end} bytes`);
  return { text: new TextDecoder().decode(bytes.subarray(start, end)), end };
};

/** The sizes in a .npy header's text. */
export const npyShape = (text: string, file: string): number[] => {
  const written = /'shape':\s*\(([^)]*)\)/.exec(text)?.[1];
  const parts = (written ?? "?").split(",").filter((part) => part.trim() !== "");
  if (parts.length > MOST_AXES || !parts.every((part) => /^\s*\d{1,15}\s*$/.test(part)))
    throw new UserError(`${file}: its shape is (${shown(written ?? "")}); at most ${MOST_AXES} whole numbers are read`);
  return parts.map(Number);
};

/** Reads a .npy file of version 1 to 3 in row order. Throws a `UserError` that names `file`. */
export const decodeNpy = (bytes: Uint8Array, file: string): NpyArray => {
  const { text, end } = npyHeader(bytes, file);
  const code = /'descr':\s*'([^']*)'/.exec(text)?.[1] as Code;
  if (!Object.hasOwn(TYPES, code) || /'fortran_order':\s*True/.test(text))
    throw new UserError(
      `${file} holds ${shown(String(code))} in ${/True/.test(text) ? "column" : "row"} order; known are ${Object.keys(TYPES).join(", ")} in row order`,
    );
  const shape = npyShape(text, file);
  const Type = TYPES[code];
  const wanted = shape.reduce((n, size) => n * size, 1) * Type.BYTES_PER_ELEMENT;
  if (bytes.length - end !== wanted)
    throw new UserError(`${file} is truncated: ${wanted} bytes of data are wanted, it has ${bytes.length - end}`);
  return { shape, data: new Type(new Uint8Array(bytes.subarray(end)).buffer) };
};

/** The bytes of a .npz file: members without compression, as `numpy.savez` writes them. */
export const encodeNpz = (arrays: Readonly<Record<string, NpyArray>>): Uint8Array =>
  zipSync(Object.fromEntries(Object.entries(arrays).map(([name, array]) => [`${name}.npy`, encodeNpy(array)])), {
    level: 0,
    mtime: new Date(1980, 0, 1), // the same arrays are the same bytes
  });

/** Bytes of all arrays of a file that is read whole, and of those that one packed byte can become. */
const MOST_UNPACKED = 2 ** 28;
const BEST_RATIO = 1032;

/** Passes a member whose size can be true and is not too much beside those before it. */
const sizeGuard = (file: string): ((member: UnzipFileInfo) => boolean) => {
  let all = 0;
  return ({ name, size, originalSize, compression }) => {
    all += originalSize;
    const most = compression === 0 ? size : BEST_RATIO * size;
    if (originalSize > most)
      throw new UserError(`${file}: ${shown(name)} states ${originalSize} bytes; its ${size} cannot hold them`);
    if (all > MOST_UNPACKED)
      throw new UserError(`${file}: its arrays would have ${all} bytes; at most ${MOST_UNPACKED} are read`);
    return true;
  };
};

/** The arrays of a .npz file, at most 256 MiB of them. Throws a `UserError` that names `file`. */
export const decodeNpz = (bytes: Uint8Array, file: string): Record<string, NpyArray> => {
  let members: Record<string, Uint8Array>;
  try {
    members = unzipSync(bytes, { filter: sizeGuard(file) });
  } catch (thrown) {
    if (thrown instanceof UserError) throw thrown;
    throw new UserError(`${file} is not a whole .npz file`);
  }
  return Object.fromEntries(
    Object.entries(members).map(([name, npy]) => [
      name.replace(/\.npy$/, ""),
      decodeNpy(npy, `${file}: ${shown(name)}`),
    ]),
  );
};
