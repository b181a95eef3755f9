import type { Shape } from "../graph/dtype.js";
import type { NdArray } from "../graph/op.js";
import type { Tensor } from "../graph/tensor.js";
import { argmax } from "./argmax.js";
import { cast } from "./cast.js";
import { equal } from "./compare.js";
import { constant } from "./constant.js";
import { conv2d, convTranspose2d } from "./conv2d.js";
import { check, defineOp, type OpFunction, show } from "./define.js";
import { div } from "./div.js";
import { mul } from "./mul.js";
import { fromIndices } from "./ndarray.js";
import { reshape } from "./reshape.js";
import { reduceSum } from "./sum.js";
import { transpose } from "./transpose.js";
import { where } from "./where.js";
import { paddingOf, resultSize, strideOf, type Window } from "./window.js";
import { full } from "./zeros.js";

/** A window of `kernel` rows and columns that moves over every channel; places beyond the edge do not count. */
export type Pool = Window & { readonly kernel: readonly [number, number] };

const windowOf = ({ kernel: _, ...window }: Pool): Window => window;
const placesOf = ({ kernel: [high, wide] }: Pool): number => high * wide;

const infer = ({ x }: { x: { dtype: Tensor["dtype"]; shape: Shape } }, pool: Pool) => {
  check(x.shape.length === 4, `x must have four axes, got ${show(x)}`);
  const padding = paddingOf(pool);
  const fits = padding.every((margin, i) => margin < pool.kernel[i % 2]!);
  check(fits, `padding [${padding.join(" ")}] must be smaller than the kernel [${pool.kernel.join(" ")}]`);
  const size = resultSize(x.shape, pool.kernel, windowOf(pool));
  return { dtype: x.dtype, shape: [...x.shape.slice(0, 2), ...size] };
};

/** Every channel as an image of its own.   [B C H W] → [B·C 1 H W] */
const apart = (x: Tensor): Tensor => reshape(x, { shape: [x.dim(0) * x.dim(1), 1, x.dim(2), x.dim(3)] });

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
  const inside = windows(constant(new Float32Array(x.dim(2) * x.dim(3)).fill(1), [1, 1, x.dim(2), x.dim(3)]), pool);
  const held = where(equal(inside, 1), windows(x, pool), full(-3e38, { dtype: x.dtype, shape: [] }));
  const first = argmax(transpose(held, { order: [0, 2, 3, 1] })); // [B·C R S]
  const places = constant([...Array(placesOf(pool)).keys()], [1, placesOf(pool), 1, 1], "int64");
  const [n, rows, columns] = first.shape as [number, number, number];
  return cast(equal(reshape(first, { shape: [n, 1, rows, columns] }), places), { to: x.dtype });
};

/** How many places of every window lie inside the image.   [1 1 R S] */
const counts = (x: Tensor, pool: Pool): Tensor => {
  const [height, width] = [x.dim(2), x.dim(3)];
  return conv2d(constant(new Float32Array(height * width).fill(1), [1, 1, height, width]), ones(pool), windowOf(pool));
};

const ones = ({ kernel }: Pool): Tensor => constant(new Float32Array(kernel[0] * kernel[1]).fill(1), [1, 1, ...kernel]);

/** What a window folds its places to, those inside the image. */
const foldWindows = (x: NdArray, shape: Shape, pool: Pool, fold: (values: readonly number[]) => number): NdArray => {
  const [stride, [above, left], [, , height, width]] = [strideOf(pool), paddingOf(pool), x.shape as readonly number[]];
  return fromIndices(shape, ([b, c, row, column]) => {
    const values: number[] = [];
    for (let i = 0; i < pool.kernel[0]; i++)
      for (let j = 0; j < pool.kernel[1]; j++) {
        const [h, w] = [row! * stride[0] + i - above, column! * stride[1] + j - left];
        const inside = h >= 0 && h < height! && w >= 0 && w < width!;
        if (inside) values.push(x.data[((b! * x.shape[1]! + c!) * height! + h) * width! + w]!);
      }
    return fold(values);
  });
};

const examples = [
  { inputs: [[2, 2, 5, 4]], attributes: { kernel: [3, 3], padding: [1, 1, 1, 1] } },
  { inputs: [[1, 3, 6, 7]], attributes: { kernel: [3, 3], stride: [2, 2] } },
  { inputs: [[1, 1, 4, 4]], attributes: { kernel: [2, 2], stride: [2, 2] } },
  { inputs: [[1, 2, 3, 5]], attributes: { kernel: [1, 2], stride: [1, 2], padding: [0, 1, 0, 0] } },
];
const rejects = [
  { inputs: [[4, 4]], attributes: { kernel: [2, 2] }, message: /x must have four axes, got float32\[4 4\]/ },
  {
    inputs: [[1, 1, 2, 2]],
    attributes: { kernel: [3, 3] },
    message: /kernel \[3 3\] is larger than the padded image \[2 2\]/,
  },
  {
    inputs: [[1, 1, 4, 4]],
    attributes: { kernel: [2, 2], padding: [2, 0, 0, 0] },
    message: /padding \[2 0 0 0\] must be smaller than the kernel \[2 2\]/,
  },
];

const onnxAttributes = (pool: Pool) => ({ kernel_shape: pool.kernel, strides: strideOf(pool), pads: paddingOf(pool) });

/** The largest number of every window.   x [B C H W] → [B C R S] */
export const maxPool: OpFunction<readonly ["x"], Pool> = defineOp({
  name: "maxPool",
  inputs: ["x"],
  infer,
  wrt: {
    x: {
      jvp: ({ x }, dx, { attributes, y }) =>
        reshape(reduceSum(mul(chosen(x, attributes), windows(dx, attributes)), { axes: [1] }), { shape: y.shape }),
      vjp: ({ x }, ct, { attributes }) => {
        const spread = mul(chosen(x, attributes), apart(ct));
        const size = [x.dim(2), x.dim(3)] as const;
        const back = convTranspose2d(spread, copies(attributes), { ...windowOf(attributes), size });
        return reshape(back, { shape: x.shape });
      },
    },
  },
  onnx: (graph, { x }, pool) => graph.node("MaxPool", [x], { attributes: onnxAttributes(pool) }),
  reference: ({ x }, pool, [y]) => foldWindows(x, y!.shape, pool, (values) => Math.max(...values)),
  examples,
  rejects,
});

/** The mean of every window's places inside the image.   x [B C H W] → [B C R S] */
export const averagePool: OpFunction<readonly ["x"], Pool> = defineOp({
  name: "averagePool",
  inputs: ["x"],
  infer,
  wrt: {
    x: {
      jvp: (_, dx, { attributes }) => averagePool(dx, attributes),
      vjp: ({ x }, ct, { attributes }) => {
        const share = div(apart(ct), counts(x, attributes));
        const size = [x.dim(2), x.dim(3)] as const;
        const back = convTranspose2d(share, ones(attributes), { ...windowOf(attributes), size });
        return reshape(back, { shape: x.shape });
      },
    },
  },
  onnx: (graph, { x }, pool) =>
    graph.node("AveragePool", [x], { attributes: { ...onnxAttributes(pool), count_include_pad: 0 } }),
  reference: ({ x }, pool, [y]) =>
    foldWindows(x, y!.shape, pool, (values) => values.reduce((a, b) => a + b, 0) / values.length),
  examples,
  rejects,
});
