import { unzipSync, zipSync } from "fflate";
import { UserError } from "../errors.js";

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

/** Reads a .npy file of version 1 to 3 in row order. Throws a `UserError` that names `file`. */
export const decodeNpy = (bytes: Uint8Array, file: string): NpyArray => {
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) throw new UserError(`${file} is not a .npy file`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = bytes[6]! > 1;
  const start = wide ? 12 : 10;
  const end = start + (wide ? view.getUint32(8, true) : view.getUint16(8, true));
  const text = new TextDecoder().decode(bytes.subarray(start, end));
  const code = /'descr':\s*'([^']*)'/.exec(text)?.[1] as Code;
  const shape = (/'shape':\s*\(([^)]*)\)/.exec(text)?.[1] ?? "")
    .split(",")
    .filter((part) => part.trim() !== "")
    .map(Number);
  if (!Object.hasOwn(TYPES, code) || /'fortran_order':\s*True/.test(text))
    throw new UserError(
      `${file} holds ${code} in ${/True/.test(text) ? "column" : "row"} order; known are ${Object.keys(TYPES).join(", ")} in row order`,
    );
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

/** The arrays of a .npz file. */
export const decodeNpz = (bytes: Uint8Array, file: string): Record<string, NpyArray> => {
  let members: Record<string, Uint8Array>;
  try {
    members = unzipSync(bytes);
  } catch {
    throw new UserError(`${file} is not a whole .npz file`);
  }
  return Object.fromEntries(
    Object.entries(members).map(([name, npy]) => [name.replace(/\.npy$/, ""), decodeNpy(npy, `${file}: ${name}`)]),
  );
};
