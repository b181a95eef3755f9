import { type Shape, sizeOf } from "../graph/dtype.js";
import type { NdArray } from "../graph/op.js";

/** The array of `shape` whose element at each row-major position is `element(index)`. */
export const fromIndices = (shape: Shape, element: (index: readonly number[]) => number): NdArray => {
  const data = new Float64Array(sizeOf(shape));
  const index = shape.map(() => 0);
  for (let flat = 0; flat < data.length; flat++) {
    data[flat] = element(index);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      if (index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
  return { shape, data };
};

/** The element of `x` at `index`, broadcasting: surplus leading axes are dropped, axes of size 1 are read at 0. */
export const at = (x: NdArray, index: readonly number[]): number => {
  const skip = index.length - x.shape.length;
  let flat = 0;
  for (let axis = 0; axis < x.shape.length; axis++) {
    const size = x.shape[axis]!;
    flat = flat * size + (size === 1 ? 0 : index[axis + skip]!);
  }
  return x.data[flat]!;
};

/** `f` applied element by element to broadcast operands. */
export const mapBroadcast = (shape: Shape, operands: readonly NdArray[], f: (...values: number[]) => number): NdArray =>
  fromIndices(shape, (index) => f(...operands.map((x) => at(x, index))));

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
