import { check } from "./define.js";
import { fromIndices } from "./ndarray.js";

export type Pair = readonly [rows: number, columns: number];
/** [samples, channels, rows, columns] of images, or [outer, inner, rows, columns] of a kernel. */
export type Images = readonly [number, number, number, number];

/** How a kernel walks over an image: by default one pixel at a time, without leaving the image. */
export type Window = {
  /** Rows and columns from one place of the kernel to the next. */
  readonly stride?: Pair;
  /** Zeros added [above, left, below, right], in ONNX's order. */
  readonly padding?: readonly [number, number, number, number];
};
export const strideOf = ({ stride = [1, 1] }: Window): Pair => stride;
export const paddingOf = ({ padding = [0, 0, 0, 0] }: Window): readonly [number, number, number, number] => padding;

/** Zeros added to rows and to columns, on both sides together. */
const margins = (window: Window): Pair => {
  const [above, left, below, right] = paddingOf(window);
  return [above + below, left + right];
};

/**
 * Rows and columns that a kernel covers on its way over a result of this size, without the padding.
 */
export const coveredBy = ([rows, columns]: Pair, [high, wide]: Pair, window: Window): Pair => {
  const [[down, right], [marginDown, marginRight]] = [strideOf(window), margins(window)];
  return [(rows - 1) * down + high - marginDown, (columns - 1) * right + wide - marginRight];
};

/** Rows and columns of the result for an image and a kernel. */
export const resultSize = ([rows, columns]: Pair, [high, wide]: Pair, window: Window): Pair => {
  const [stride, padding] = [strideOf(window), paddingOf(window)];
  check(
    stride.every((n) => n >= 1) && padding.every((n) => n >= 0),
    `stride [${stride.join(" ")}] must be at least 1, padding [${padding.join(" ")}] at least 0`,
  );
  const [marginDown, marginRight] = margins(window);
  const places = (size: number, kernel: number, step: number) => Math.floor((size - kernel) / step) + 1;
  const size: Pair = [places(rows + marginDown, high, stride[0]), places(columns + marginRight, wide, stride[1])];
  const fits = size.every((n) => n >= 1);
  check(fits, `kernel [${high} ${wide}] is larger than the padded image [${rows} ${columns}]`);
  return size;
};

/** Calls `visit` with the flat positions in x, weight and y of every product x · weight that is added to y. */
export const forEachProduct = (
  [x, weight, y]: readonly [Images, Images, Images],
  window: Window,
  visit: (x: number, weight: number, y: number) => void,
): void => {
  const [[down, right], [above, left]] = [strideOf(window), paddingOf(window)];
  const flat = (shape: Images, [a, b, c, d]: Images) => ((a * shape[1] + b) * shape[2] + c) * shape[3] + d;
  const [, inner, high, wide] = weight;
  fromIndices([...y, inner, high, wide], ([b, o, row, column, i, r, c]) => {
    const [h, w] = [row * down + r - above, column * right + c - left];
    const inside = h >= 0 && h < x[2] && w >= 0 && w < x[3];
    if (inside) visit(flat(x, [b, i, h, w]), flat(weight, [o, i, r, c]), flat(y, [b, o, row, column]));
    return 0;
  });
};

/** Whether images of this shape have this size. */
export const hasSize = ([, , rows, columns]: Images, size: Pair): boolean => rows === size[0] && columns === size[1];
