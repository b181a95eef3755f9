import type { Tensor } from "../graph/tensor.js";
import { add, constant, matmul, reshape } from "../ops/index.js";
import { xavierUniform, zerosInit } from "./initializers.js";
import type { Scope } from "./scope.js";

/** Cuts an image into patches, row by row.   x [B C H W] → [B L C·p·p] */
export const toPatches = (x: Tensor, patch: number): Tensor<"B L P"> => {
  const [batch, channels, height, width] = x.dims("B C H W");
  const [rows, columns] = [height / patch, width / patch];
  return x
    .reshape([batch, channels, rows, patch, columns, patch])
    .transpose([0, 2, 4, 1, 3, 5])
    .reshape([batch, rows * columns, channels * patch * patch])
    .as("B L P");
};

/** The inverse for tokens whose elements are ordered [p p C], as DiT's last layer writes them.   x [B L p·p·C] → [B C H W] */
export const fromPatches = (x: Tensor, patch: number, channels: number): Tensor<"B C H W"> => {
  const [batch, length] = x.dims("B L P");
  const side = Math.sqrt(length);
  return x
    .reshape([batch, side, side, patch, patch, channels])
    .transpose([0, 5, 1, 3, 2, 4])
    .reshape([batch, channels, side * patch, side * patch])
    .as("B C H W");
};

/** A convolution with stride = kernel = patch, written as a product: weight [D C p p] as PyTorch stores it. */
export const patchEmbedding = (scope: Scope, x: Tensor, patch: number, width: number): Tensor<"B L D"> =>
  scope.build(() => {
    const channels = x.dim(1);
    const patches = toPatches(x, patch);
    const [batch, length, size] = patches.dims("B L P");
    const weight = scope.parameter("proj.weight", [width, channels, patch, patch], xavierUniform);
    const bias = scope.parameter("proj.bias", [width], zerosInit);
    const rows = patches.reshape([batch * length, size]);
    const y = add(matmul(rows, reshape(weight, { shape: [width, size] }), { transposeB: true }), bias);
    return y.reshape([batch, length, width]).as("B L D");
  });

/** [sin(p ω), cos(p ω)] with `size / 2` frequencies. */
const positionCode = (position: number, size: number): number[] => {
  const angles = Array.from({ length: size / 2 }, (_, i) => position / 1e4 ** ((2 * i) / size));
  return [...angles.map(Math.sin), ...angles.map(Math.cos)];
};

/** Fixed two-dimensional position codes [1 side² D]: first half from the column, second from the row, as DiT has them. */
export const positionValues = (side: number, width: number): Float32Array<ArrayBuffer> => {
  const codes = Array.from({ length: side }, (_, position) => positionCode(position, width / 2));
  return Float32Array.from(codes.flatMap((row) => codes.flatMap((column) => [...column, ...row])));
};

/** The position codes as a constant of the program. */
export const positionEmbedding = (side: number, width: number): Tensor =>
  constant(positionValues(side, width), [1, side * side, width]);
