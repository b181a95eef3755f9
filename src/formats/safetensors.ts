import { UserError } from "../errors.js";
import { sizeOf } from "../graph/dtype.js";
import { shown } from "./randomAccess.js";

/** Element types of the safetensors format. */
export type SafetensorsType = "F64" | "F32" | "F16" | "BF16" | "I64" | "I32" | "I16" | "I8" | "U8" | "BOOL";

/** Bytes per element. */
export const SAFETENSORS_BYTES: Readonly<Record<SafetensorsType, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

/** Where a tensor lies: bytes `start` … `end` − 1 after the header. */
export type Entry = {
  readonly dtype: SafetensorsType;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
};

export type SafetensorsHeader = {
  readonly entries: ReadonlyMap<string, Entry>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Offset of the first tensor byte in the file. */
  readonly dataStart: number;
};

const LENGTH_BYTES = 8;
/** Bytes of a header, as JSON; those of large models have one or two million. */
const LONGEST_HEADER = 2 ** 23;

/** Length of the JSON header, from the first 8 bytes; `fileSize` guards against nonsense. */
export const headerLength = (first: Uint8Array, fileSize: number, file: string): number => {
  if (first.length < LENGTH_BYTES)
    throw new UserError(`${file} is not a safetensors file: it has only ${fileSize} bytes`);
  const length = Number(new DataView(first.buffer, first.byteOffset).getBigUint64(0, true));
  if (length > LONGEST_HEADER)
    throw new UserError(
      `${file} is not a safetensors file: its header would have ${length} bytes; at most ${LONGEST_HEADER} are read`,
    );
  if (LENGTH_BYTES + length > fileSize)
    throw new UserError(
      `${file} is truncated: its header needs ${LENGTH_BYTES + length} bytes, the file has ${fileSize}`,
    );
  return length;
};

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const MOST_AXES = 32;
const isSize = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;

const isMetadata = (value: unknown): value is Readonly<Record<string, string>> =>
  isRecord(value) && Object.values(value).every((text) => typeof text === "string");

const entryOf = (name: string, value: unknown, file: string): Entry => {
  const { dtype, shape, data_offsets: offsets } = isRecord(value) ? value : ({} as Record<string, unknown>);
  const known = typeof dtype === "string" && Object.hasOwn(SAFETENSORS_BYTES, dtype);
  if (!known)
    throw new UserError(
      `${file}: tensor ${shown(name)} has element type ${typeof dtype === "string" ? shown(dtype) : typeof dtype}; known are ${Object.keys(SAFETENSORS_BYTES).join(", ")}`,
    );
  if (
    !Array.isArray(shape) ||
    shape.length > MOST_AXES ||
    !shape.every(isSize) ||
    !Array.isArray(offsets) ||
    offsets.length !== 2 ||
    !offsets.every(isSize)
  )
    throw new UserError(`${file}: the entry of tensor ${shown(name)} is malformed`);
  const [start, end] = offsets as [number, number];
  const bytes = sizeOf(shape) * SAFETENSORS_BYTES[dtype as SafetensorsType];
  if (end - start !== bytes)
    throw new UserError(
      `${file}: tensor ${shown(name)} of shape [${shape}] takes ${bytes} bytes, its entry says ${end - start}`,
    );
  return { dtype: dtype as SafetensorsType, shape, start, end };
};

/** Parses and checks a header: every type, shape and offset, no gaps, no overlaps, all inside a file of `fileSize` bytes. */
export const parseHeader = (json: Uint8Array, fileSize: number, file: string): SafetensorsHeader => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
  } catch {
    throw new UserError(`${file} is not a safetensors file: its header is not JSON`);
  }
  if (!isRecord(parsed)) throw new UserError(`${file} is not a safetensors file: its header is not an object`);
  const all = Object.entries(parsed);
  const metadata = parsed.__metadata__ ?? {};
  if (!isMetadata(metadata)) throw new UserError(`${file}: its __metadata__ must be texts by name`);
  const entries = new Map(
    all.filter(([name]) => name !== "__metadata__").map(([name, value]) => [name, entryOf(name, value, file)]),
  );
  const dataStart = LENGTH_BYTES + json.length;
  checkLayout(entries, fileSize - dataStart, file);
  return { entries, metadata, dataStart };
};

const checkLayout = (entries: ReadonlyMap<string, Entry>, available: number, file: string): void => {
  let at = 0;
  for (const [name, { start, end }] of [...entries].sort(([, a], [, b]) => a.start - b.start || a.end - b.end)) {
    if (start !== at)
      throw new UserError(
        `${file}: tensor ${shown(name)} starts at byte ${start} of the data; byte ${at} was expected`,
      );
    if (end > available)
      throw new UserError(
        `${file} is truncated: tensor ${shown(name)} ends at byte ${end} of the data, the file has ${available}`,
      );
    at = end;
  }
  if (at !== available) throw new UserError(`${file}: ${available - at} bytes follow the last tensor`);
};

/** The bytes before the tensors: length, then JSON padded with spaces to a multiple of 8. Tensors follow in this order. */
export const encodeHeader = (
  tensors: readonly { readonly name: string; readonly dtype: SafetensorsType; readonly shape: readonly number[] }[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array => {
  let at = 0;
  const entries = tensors.map(({ name, dtype, shape }) => {
    const start = at;
    at += sizeOf(shape) * SAFETENSORS_BYTES[dtype];
    return [name, { dtype, shape, data_offsets: [start, at] }] as const;
  });
  const text = JSON.stringify(Object.fromEntries([["__metadata__", metadata], ...entries]));
  const json = new TextEncoder().encode(text);
  const padded = Math.ceil(json.length / LENGTH_BYTES) * LENGTH_BYTES;
  const bytes = new Uint8Array(LENGTH_BYTES + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(json, LENGTH_BYTES);
  return bytes;
};

const CONSTRUCTORS = {
  F64: Float64Array,
  F32: Float32Array,
  I64: BigInt64Array,
  I32: Int32Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
  I8: Int8Array,
  I16: Int16Array,
} as const;

/** The exact value of an IEEE half. */
export const halfToNumber = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
};

/** The exact value of a bfloat16: the upper half of a float32. */
export const bfloatToNumber = (bits: number): number => new Float32Array(Uint32Array.of(bits << 16).buffer)[0]!;

/** As `bfloatToNumber`, for many. */
const widenBfloats = (bits: Uint16Array): Float32Array<ArrayBuffer> => {
  const wide = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) wide[i] = bits[i]! << 16;
  return new Float32Array(wide.buffer);
};

/** The exact values of many halves. `Float32Array.from` would make a list of them first. */
const widenHalves = (bits: Uint16Array): Float32Array<ArrayBuffer> => {
  const wide = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) wide[i] = halfToNumber(bits[i]!);
  return wide;
};

/** The values of a tensor from its bytes. Halves and bfloat16 are widened to float32. */
export const decodeTensor = (dtype: SafetensorsType, bytes: Uint8Array) => {
  const { buffer } = new Uint8Array(bytes); // a copy of its own is aligned
  if (dtype === "F16") return widenHalves(new Uint16Array(buffer));
  if (dtype === "BF16") return widenBfloats(new Uint16Array(buffer));
  return new CONSTRUCTORS[dtype](buffer);
};

export type LoadedTensor = {
  readonly dtype: SafetensorsType;
  readonly shape: readonly number[];
  readonly data: ReturnType<typeof decodeTensor>;
};

/** Reads a whole file from memory. */
export const readSafetensors = (bytes: Uint8Array, file: string) => {
  const length = headerLength(bytes.subarray(0, LENGTH_BYTES), bytes.length, file);
  const header = parseHeader(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length), bytes.length, file);
  const tensors = new Map<string, LoadedTensor>();
  for (const [name, { dtype, shape, start, end }] of header.entries) {
    const data = decodeTensor(dtype, bytes.subarray(header.dataStart + start, header.dataStart + end));
    tensors.set(name, { dtype, shape, data });
  }
  return { tensors, metadata: header.metadata };
};
