import type { Tensor } from "../graph/tensor.js";
import { add, conv2d, type Window } from "../ops/index.js";
import { convXavier, type Initializer, zerosInit } from "./initializers.js";
import type { Scope } from "./scope.js";

export type ConvOptions = Window & { readonly weight?: Initializer; readonly bias?: Initializer };

/** Zeros on all sides that keep an image's size under an odd kernel with stride 1. */
const same = (kernel: number): [number, number, number, number] => {
  const margin = (kernel - 1) / 2;
  return [margin, margin, margin, margin];
};

/**
 * A convolution with bias; by default it keeps the size of the image.   x [B C H W] → [B O H W]
 * weight [O C k k], bias [O] as PyTorch stores them
 */
export const conv = (
  scope: Scope,
  x: Tensor,
  channels: number,
  kernel: number,
  { weight = convXavier(), bias = zerosInit, stride, padding = same(kernel) }: ConvOptions = {},
): Tensor<"B C H W"> =>
  scope.build(() => {
    const w = scope.parameter("weight", [channels, x.dim(1), kernel, kernel], weight);
    const b = scope.parameter("bias", [channels], bias);
    const y = conv2d(x, w, { padding, ...(stride && { stride }) });
    return add(y, b.reshape([1, channels, 1, 1])).as("B C H W");
  });
