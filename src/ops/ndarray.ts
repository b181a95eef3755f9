import { type Shape, sizeOf } from "../graph/dtype.js";
import { nth } from "../graph/lists.js";
import type { NdArray } from "../graph/op.js";

/** A position in an array of this shape: as many numbers as it has axes. */
export type Index<S extends Shape = Shape> = { readonly [K in keyof S]: number };

/**
 * The array of `shape` whose element at each row-major position is `element(index)`; the index
 * changes afterwards.
 */
export const fromIndices = <const S extends Shape>(shape: S, element: (index: Index<S>) => number): NdArray => {
  const data = new Float64Array(sizeOf(shape));
  const index = shape.map(() => 0);
  for (let flat = 0; flat < data.length; flat++) {
    data[flat] = element(index as Index<S>);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = nth(index, axis) + 1;
      index[axis] = next < nth(shape, axis) ? next : 0;
      if (next < nth(shape, axis)) break;
    }
  }
  return { shape, data };
};

/**
 * Row-major place of `index` in an array of `shape`, broadcasting: surplus leading axes are
 * dropped, size 1 is read at 0.
 */
const offset = (shape: Shape, index: readonly number[]): number => {
  const skip = index.length - shape.length;
  let flat = 0;
  for (const [axis, size] of shape.entries()) flat = flat * size + (size === 1 ? 0 : nth(index, axis + skip));
  return flat;
};

/** The element of `x` at `index`, broadcasting. */
export const at = (x: NdArray, index: readonly number[]): number => nth(x.data, offset(x.shape, index));

/** Adds to an element. */
export const addAt = (x: NdArray, flat: number, value: number): void => {
  x.data[flat] = nth(x.data, flat) + value;
};

/** Another element at `index`, broadcasting. */
export const setAt = (x: NdArray, index: readonly number[], value: number): void => {
  x.data[offset(x.shape, index)] = value;
};

/** `index` with `by` added along one axis. */
export const shifted = (index: readonly number[], axis: number, by: number): readonly number[] =>
  index.map((i, k) => (k === axis ? i + by : i));

/** `f` applied element by element to broadcast operands. */
export const mapBroadcast = (shape: Shape, operands: readonly NdArray[], f: (...values: number[]) => number): NdArray =>
  fromIndices(shape, (index) => f(...operands.map((x) => at(x, index))));

/** The rows (last axis) of x, as views. */
export const rowsOf = ({ data, shape }: NdArray): Float64Array[] => {
  const size = lastSize(shape);
  return Array.from({ length: data.length / size }, (_, i) => data.subarray(i * size, (i + 1) * size));
};

/** The size of the last axis; throws for a scalar. */
export const lastSize = (shape: Shape): number => nth(shape, shape.length - 1);

/** The numpy broadcasting rule; throws when the shapes do not fit. */
export const broadcastShapes = (...shapes: readonly Shape[]): Shape => {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = shapes.map((s) => s[axis - rank + s.length] ?? 1).filter((size) => size !== 1);
    if (sizes.some((size) => size !== sizes[0]))
      throw new Error(`shapes ${shapes.map((s) => `[${s.join(" ")}]`).join(" and ")} do not broadcast`);
    return sizes[0] ?? 1;
  });
};

/** A non-negative axis; throws when it is outside the rank. */
export const normalAxis = (axis: number, rank: number): number => {
  const normal = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || normal < 0 || normal >= rank)
    throw new Error(`axis ${axis} is outside a tensor of rank ${rank}`);
  return normal;
};

/** The shape with one axis resized. */
export const resized = (shape: Shape, axis: number, size: number): Shape =>
  shape.map((d, i) => (i === axis ? size : d));
