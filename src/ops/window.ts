import type { Shape, TensorType } from "../graph/dtype.js";
import { check, show } from "./define.js";
import { fromIndices } from "./ndarray.js";

/** How a kernel walks over an image: by default one pixel at a time, without leaving the image. */
export type Window = {
  /** Rows and columns from one place of the kernel to the next. */
  readonly stride?: readonly [number, number];
  /** Zeros added [above, left, below, right], in ONNX's order. */
  readonly padding?: readonly [number, number, number, number];
};
export const strideOf = ({ stride = [1, 1] }: Window): readonly [number, number] => stride;
export const paddingOf = ({ padding = [0, 0, 0, 0] }: Window): readonly [number, number, number, number] => padding;

/** Places of the kernel along one axis (0: rows, 1: columns). */
const places = (size: number, kernel: number, window: Window, axis: number): number => {
  const padding = paddingOf(window);
  return Math.floor((size + padding[axis]! + padding[axis + 2]! - kernel) / strideOf(window)[axis]!) + 1;
};

/** [rows, columns] of the result for an image and a kernel. */
export const resultSize = (image: Shape, kernel: Shape, window: Window): [number, number] => {
  const [stride, padding] = [strideOf(window), paddingOf(window)];
  check(
    stride.every((n) => n >= 1) && padding.every((n) => n >= 0),
    `stride [${stride.join(" ")}] must be at least 1, padding [${padding.join(" ")}] at least 0`,
  );
  const size = [0, 1].map((axis) => places(image.at(axis - 2)!, kernel.at(axis - 2)!, window, axis));
  const fits = size.every((n) => n >= 1);
  check(fits, `kernel [${kernel.slice(-2).join(" ")}] is larger than the padded image [${image.slice(-2).join(" ")}]`);
  return size as [number, number];
};

export const checkImages = (types: Readonly<Record<string, TensorType>>): void => {
  for (const [name, type] of Object.entries(types))
    check(type.shape.length === 4, `${name} must have four axes, got ${show(type)}`);
  const dtypes = [...new Set(Object.values(types).map(({ dtype }) => dtype))];
  check(dtypes.length === 1, `the element types differ: ${dtypes.join(" and ")}`);
};

/** Calls `visit` with the flat positions in x, weight and y of every product x · weight that is added to y. */
export const forEachProduct = (
  [x, weight, y]: readonly [Shape, Shape, Shape],
  window: Window,
  visit: (x: number, weight: number, y: number) => void,
): void => {
  const [stride, padding] = [strideOf(window), paddingOf(window)];
  const flat = (shape: Shape, index: readonly number[]) => shape.reduce((n, size, axis) => n * size + index[axis]!, 0);
  fromIndices([...y, ...weight.slice(1)], (index) => {
    const [b, o, row, column, i, down, right] = index as [number, number, number, number, number, number, number];
    const [h, w] = [row * stride[0] + down - padding[0], column * stride[1] + right - padding[1]];
    const inside = h >= 0 && h < x[2]! && w >= 0 && w < x[3]!;
    if (inside) visit(flat(x, [b, i, h, w]), flat(weight, [o, i, down, right]), flat(y, [b, o, row, column]));
    return 0;
  });
};

/** Rows and columns. */
export const lastTwo = (shape: Shape): [number, number] => [shape[2]!, shape[3]!];
