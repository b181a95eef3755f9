import { concat, le } from "./archive.js";

/** An assembler for pickles of protocol 2, for tests that need what PyTorch never writes. */

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

export const op = {
  proto: [0x80, 2],
  mark: [0x28],
  stop: [0x2e],
  none: [0x4e],
  false: [0x89],
  list: [0x5d],
  dict: [0x7d],
  tuple: [0x74],
  emptyTuple: [0x29],
  append: [0x61],
  appends: [0x65],
  setItem: [0x73],
  setItems: [0x75],
  reduce: [0x52],
  newObject: [0x81],
  build: [0x62],
  stackGlobal: [0x93],
  persistent: [0x51],
  memoize: [0x94],
  dup: [0x32],
} as const;

export const text = (value: string): Uint8Array => concat([0x58], le(4, bytes(value).length), bytes(value));
export const integer = (value: number | bigint): Uint8Array =>
  concat([0x8a, 10], le(10, BigInt.asUintN(80, BigInt(value))));
export const global = (module: string, name: string): Uint8Array => concat([0x63], bytes(`${module}\n${name}\n`));
export const recall = (index: number): Uint8Array => concat([0x68, index]);

export const tuple = (...items: readonly (Uint8Array | readonly number[])[]): Uint8Array =>
  concat(op.mark, ...items, op.tuple);

export const dict = (...entries: readonly (readonly [Uint8Array, Uint8Array | readonly number[]])[]): Uint8Array =>
  concat(op.dict, op.mark, ...entries.flat(), op.setItems);

export const call = (module: string, name: string, ...args: readonly (Uint8Array | readonly number[])[]): Uint8Array =>
  concat(global(module, name), tuple(...args), op.reduce);

export const storage = (key: string, elements: number | bigint, type = "FloatStorage"): Uint8Array =>
  concat(tuple(text("storage"), global("torch", type), text(key), text("cpu"), integer(elements)), op.persistent);

/** A float32 view of a storage. */
export const tensor = (
  of: Uint8Array,
  offset: number | bigint,
  shape: readonly (number | bigint)[],
  strides: readonly (number | bigint)[],
): Uint8Array =>
  call(
    "torch._utils",
    "_rebuild_tensor_v2",
    of,
    integer(offset),
    tuple(...shape.map(integer)),
    tuple(...strides.map(integer)),
    op.false,
    call("collections", "OrderedDict"),
  );

/** A whole pickle of one value. */
export const pickle = (...value: readonly (Uint8Array | readonly number[])[]): Uint8Array =>
  concat(op.proto, ...value, op.stop);
