/** Element types a tensor may have: those the engine and every execution provider agree on. */
export type DType = "float32" | "float16" | "float64" | "int64" | "int32" | "uint8" | "bool";

/** Static sizes, outermost first; `[]` is a scalar. */
export type Shape = readonly number[];

/** What is known of a tensor before any program runs. */
export type TensorType = { readonly dtype: DType; readonly shape: Shape };

/** The typed array that holds each element type in host memory; float16 travels as its 16 bits, bool as one byte. */
export type TypedArrayOf = {
  float32: Float32Array<ArrayBuffer>;
  float16: Uint16Array<ArrayBuffer>;
  float64: Float64Array<ArrayBuffer>;
  int64: BigInt64Array<ArrayBuffer>;
  int32: Int32Array<ArrayBuffer>;
  uint8: Uint8Array<ArrayBuffer>;
  bool: Uint8Array<ArrayBuffer>;
};
export type HostArray = TypedArrayOf[DType];

const constructors = {
  float32: Float32Array,
  float16: Uint16Array,
  float64: Float64Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

export const isDType = (name: string): name is DType => Object.hasOwn(constructors, name);

/** Whether a value is an array that a host may hold a tensor in. */
export const isHostArray = (value: unknown): value is HostArray =>
  ArrayBuffer.isView(value) && Object.values(constructors).some((type) => value instanceof type);

/** Bytes per element. */
export const bytesOf = (dtype: DType): number => constructors[dtype].BYTES_PER_ELEMENT;

/** Number of elements of a shape; 1 for a scalar. */
export const sizeOf = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);

/** A zero-filled host array for `type`. */
export const hostArray = <D extends DType>(dtype: D, shape: Shape): TypedArrayOf[D] =>
  new constructors[dtype](sizeOf(shape)) as TypedArrayOf[D];

/** float, as far as derivatives are concerned. */
export const isFloat = (dtype: DType): boolean => dtype.startsWith("float");

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((d, i) => d === b[i]);

/** `float32[2 3]`, as errors and the printer show a type. */
export const showType = ({ dtype, shape }: TensorType): string => `${dtype}[${shape.join(" ")}]`;
