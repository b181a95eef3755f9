import type { Shape, TensorType } from "../graph/dtype.js";
import type { NdArray } from "../graph/op.js";
import type { Tensor } from "../graph/tensor.js";
import { argmax } from "./argmax.js";
import { cast } from "./cast.js";
import { equal } from "./compare.js";
import { constant } from "./constant.js";
import { conv2d, convTranspose2d } from "./conv2d.js";
import { axesOf, check, defineOp, type OpFunction } from "./define.js";
import { div } from "./div.js";
import { example, reject } from "./examples.js";
import { linear, type Unary } from "./families.js";
import { mul } from "./mul.js";
import { at, fromIndices } from "./ndarray.js";
import { reshape } from "./reshape.js";
import { reduceSum } from "./sum.js";
import { transpose } from "./transpose.js";
import { where } from "./where.js";
import { type Pair, paddingOf, resultSize, strideOf, type Window } from "./window.js";
import { full } from "./zeros.js";

/** A window of `kernel` rows and columns that moves over every channel; places beyond the edge do not count. */
export type Pool = Window & { readonly kernel: Pair };

const windowOf = ({ kernel: _, ...window }: Pool): Window => window;
const placesOf = ({ kernel: [high, wide] }: Pool): number => high * wide;

const infer = (x: TensorType, pool: Pool): TensorType => {
  const [B, C, H, W] = axesOf("x", x, "B C H W");
  const [padding, [high, wide]] = [paddingOf(pool), pool.kernel];
  const [above, left, below, right] = padding;
  const fits = Math.max(above, below) < high && Math.max(left, right) < wide;
  check(fits, `padding [${padding.join(" ")}] must be smaller than the kernel [${high} ${wide}]`);
  return { dtype: x.dtype, shape: [B, C, ...resultSize([H, W], pool.kernel, windowOf(pool))] };
};

const pixelsOf = (x: Tensor): Pair => {
  const [, , H, W] = x.dims("B C H W");
  return [H, W];
};

/** Every channel as an image of its own.   [B C H W] → [B·C 1 H W] */
const apart = (x: Tensor): Tensor => {
  const [B, C, H, W] = x.dims("B C H W");
  return reshape(x, { shape: [B * C, 1, H, W] });
};

/** An image of ones.   [1 1 H W] */
const filled = ([H, W]: Pair): Tensor => constant(new Float32Array(H * W).fill(1), [1, 1, H, W]);

/** A kernel for each place of the window, which copies it.   [places 1 h w] */
const copies = (pool: Pool): Tensor => {
  const places = placesOf(pool);
  const identity = Float32Array.from({ length: places ** 2 }, (_, i) => Number(i % (places + 1) === 0));
  return constant(identity, [places, 1, ...pool.kernel]);
};

/** What every window holds, with zeros beyond the edge.   [B C H W] → [B·C places R S] */
const windows = (x: Tensor, pool: Pool): Tensor => conv2d(apart(x), copies(pool), windowOf(pool));

/** 1 where a window's largest number is, the first of equals, else 0.   [B·C places R S] */
const chosen = (x: Tensor, pool: Pool): Tensor => {
  const inside = windows(filled(pixelsOf(x)), pool);
  const held = where(equal(inside, 1), windows(x, pool), full(-3e38, { dtype: x.dtype, shape: [] }));
  const first = argmax(transpose(held, { order: [0, 2, 3, 1] })); // [B·C R S]
  const places = constant([...Array(placesOf(pool)).keys()], [1, placesOf(pool), 1, 1], "int64");
  const [n, rows, columns] = first.dims("N R S");
  return cast(equal(reshape(first, { shape: [n, 1, rows, columns] }), places), { to: x.dtype });
};

/** How many places of every window lie inside the image.   [1 1 R S] */
const counts = (x: Tensor, pool: Pool): Tensor => conv2d(filled(pixelsOf(x)), filled(pool.kernel), windowOf(pool));

/** What a window folds its places to, those inside the image. */
const foldWindows = (x: NdArray, shape: Shape, pool: Pool, fold: (values: readonly number[]) => number): NdArray => {
  const [[down, right], [above, left]] = [strideOf(pool), paddingOf(pool)];
  const [[high, wide], [, , height, width]] = [pool.kernel, axesOf("x", x, "B C H W")];
  return fromIndices(axesOf("y", { shape }, "B C R S"), ([b, c, row, column]) => {
    const values: number[] = [];
    for (let i = 0; i < high; i++)
      for (let j = 0; j < wide; j++) {
        const [h, w] = [row * down + i - above, column * right + j - left];
        if (h >= 0 && h < height && w >= 0 && w < width) values.push(at(x, [b, c, h, w]));
      }
    return fold(values);
  });
};

const tested = {
  examples: [
    example("[2 2 5 4]", { kernel: [3, 3], padding: [1, 1, 1, 1] }),
    example("[1 3 6 7]", { kernel: [3, 3], stride: [2, 2] }),
    example("[1 1 4 4]", { kernel: [2, 2], stride: [2, 2] }),
    example("[1 2 3 5]", { kernel: [1, 2], stride: [1, 2], padding: [0, 1, 0, 0] }),
  ],
  rejects: [
    reject("[4 4]", /x must have 4 axes, B C H W: x is float32\[4 4\]/, { kernel: [2, 2] }),
    reject("[1 1 2 2]", /kernel \[3 3\] is larger than the padded image \[2 2\]/, { kernel: [3, 3] }),
    reject("[1 1 4 4]", /padding \[2 0 0 0\] must be smaller than the kernel \[2 2\]/, {
      kernel: [2, 2],
      padding: [2, 0, 0, 0],
    }),
  ],
};

const onnxAttributes = (pool: Pool) => ({ kernel_shape: pool.kernel, strides: strideOf(pool), pads: paddingOf(pool) });

/** The largest number of every window.   x [B C H W] → [B C R S] */
export const maxPool: OpFunction<readonly ["x"], Pool> = defineOp({
  name: "maxPool",
  inputs: ["x"],
  infer: ({ x }, pool) => infer(x, pool),
  wrt: {
    x: {
      jvp: ({ x }, dx, { attributes, y }) =>
        reshape(reduceSum(mul(chosen(x, attributes), windows(dx, attributes)), { axes: [1] }), { shape: y.shape }),
      vjp: ({ x }, ct, { attributes }) => {
        const spread = mul(chosen(x, attributes), apart(ct));
        const back = convTranspose2d(spread, copies(attributes), { ...windowOf(attributes), size: pixelsOf(x) });
        return reshape(back, { shape: x.shape });
      },
    },
  },
  onnx: (graph, { x }, pool) => graph.node("MaxPool", [x], { attributes: onnxAttributes(pool) }),
  reference: ({ x }, pool, { shape }) => foldWindows(x, shape, pool, (values) => Math.max(...values)),
  ...tested,
});

/** The mean of every window's places inside the image.   x [B C H W] → [B C R S] */
export const averagePool: Unary<Pool> = linear({
  name: "averagePool",
  infer,
  adjoint: (ct, x, { attributes }) => {
    const share = div(apart(ct), counts(x, attributes));
    const size = pixelsOf(x);
    const back = convTranspose2d(share, filled(attributes.kernel), { ...windowOf(attributes), size });
    return reshape(back, { shape: x.shape });
  },
  onnx: (graph, x, pool) =>
    graph.node("AveragePool", [x], { attributes: { ...onnxAttributes(pool), count_include_pad: 0 } }),
  reference: (x, pool, { shape }) =>
    foldWindows(x, shape, pool, (values) => values.reduce((a, b) => a + b, 0) / values.length),
  ...tested,
});
