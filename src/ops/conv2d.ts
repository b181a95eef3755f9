import { sizeOf, type TensorType } from "../graph/dtype.js";
import { nth } from "../graph/lists.js";
import type { Lowering, NdArray } from "../graph/op.js";
import type { Tensor } from "../graph/tensor.js";
import { axesOf, check, type OpFunction } from "./define.js";
import { example, reject } from "./examples.js";
import { bilinear } from "./families.js";
import { addAt } from "./ndarray.js";
import {
  coveredBy,
  forEachProduct,
  hasSize,
  type Images,
  type Pair,
  paddingOf,
  resultSize,
  strideOf,
  type Window,
} from "./window.js";

/** Rows and columns of the image that a transposed convolution makes: with a stride, several sizes would fit. */
type OntoImage = Window & { readonly size: Pair };
/** Rows and columns of the kernel whose gradient is asked for. */
type OntoKernel = Window & { readonly kernel: Pair };

type Shaped = Pick<TensorType, "shape">;

const imagesOf = (name: string, x: Shaped): Images => axesOf(name, x, "B C H W");
const kernelOf = (weight: Shaped): Images => axesOf("weight", weight, "O I h w");
const lastTwo = ([, , rows, columns]: Images): Pair => [rows, columns];
const pixelsOf = (x: Tensor): Pair => lastTwo(x.dims("B C H W"));

/** Adds up one of three arrays from products of elements of the other two. */
const reference = (shape: TensorType["shape"], fill: (result: NdArray) => void): NdArray => {
  const result = { shape, data: new Float64Array(sizeOf(shape)) };
  fill(result);
  return result;
};

/**
 * A convolution as networks mean it (the kernel is not mirrored):
 * y[b o r c] = Σ x[b i, r·stride + k − padding, …] · weight[o i k …].   x [B I H W], weight [O I h w] → y [B O R C]
 *
 * With its two adjoints it is one trilinear form ⟨y, x ∗ weight⟩, so the three are each other's derivatives.
 */
export const conv2d: OpFunction<readonly ["x", "weight"], Window> = bilinear({
  name: "conv2d",
  inputs: ["x", "weight"],
  infer: ({ x, weight }, window) => {
    const [[B, channels, H, W], [O, I, h, w]] = [imagesOf("x", x), kernelOf(weight)];
    check(channels === I, `x has ${channels} channels, weight reads ${I}`);
    return { dtype: x.dtype, shape: [B, O, ...resultSize([H, W], [h, w], window)] };
  },
  wrt: {
    x: {
      adjoint: (ct, { x, weight }, { attributes }) => convTranspose2d(ct, weight, { ...attributes, size: pixelsOf(x) }),
    },
    weight: {
      adjoint: (ct, { x, weight }, { attributes }) => convKernel2d(x, ct, { ...attributes, kernel: pixelsOf(weight) }),
    },
  },
  onnx: (graph, { x, weight }, window) =>
    graph.node("Conv", [x, weight], { attributes: { strides: strideOf(window), pads: paddingOf(window) } }),
  reference: ({ x, weight }, window, { shape }) =>
    reference(shape, (y) => {
      forEachProduct([imagesOf("x", x), kernelOf(weight), imagesOf("y", y)], window, (i, j, k) => {
        addAt(y, k, nth(x.data, i) * nth(weight.data, j));
      });
    }),
  examples: [
    example("[2 3 5 4] [4 3 3 3]", { padding: [1, 1, 1, 1] }),
    example("[2 3 4 5] [2 3 1 1]"),
    example("[1 2 6 6] [3 2 3 3]", { stride: [2, 2], padding: [0, 0, 1, 1] }),
    example("[2 1 6 5] [1 1 4 2]", { stride: [2, 1], padding: [1, 0, 1, 0] }),
    example("[1 2 5 6] [3 2 3 1]", { stride: [3, 2] }),
  ],
  rejects: [
    reject("[3 5 4] [4 3 3 3]", /x must have 4 axes, B C H W: x is float32\[3 5 4\]/),
    reject(
      "[1 3 5 4] [4 2 3 3]",
      /x has 3 channels, weight reads 2: x is float32\[1 3 5 4\].*, weight is float32\[4 2 3 3\]/,
    ),
    reject("[1 3 2 4] [4 3 3 3]", /kernel \[3 3\] is larger than the padded image \[2 4\]/),
    reject("[1 3 4 4] [4 3 3 3]", /stride \[0 1\] must be at least 1/, { stride: [0, 1] }),
  ],
});

/** The adjoint of `conv2d` in x: every y is spread over the places it was read from.   y [B O R C], weight [O I h w] → x [B I H W] */
export const convTranspose2d: OpFunction<readonly ["y", "weight"], OntoImage> = bilinear({
  name: "convTranspose2d",
  inputs: ["y", "weight"],
  infer: ({ y, weight }, { size, ...window }) => {
    const [images, [O, I, h, w]] = [imagesOf("y", y), kernelOf(weight)];
    const [B, channels] = images;
    check(channels === O, `y has ${channels} channels, weight makes ${O}`);
    const wanted = resultSize(size, [h, w], window);
    check(hasSize(images, wanted), `an image [${size.join(" ")}] gives [${wanted.join(" ")}]`);
    return { dtype: y.dtype, shape: [B, I, ...size] };
  },
  wrt: {
    y: { adjoint: (ct, { weight }, { attributes: { size: _, ...window } }) => conv2d(ct, weight, window) },
    weight: {
      adjoint: (ct, { y, weight }, { attributes: { size: _, ...window } }) =>
        convKernel2d(ct, y, { ...window, kernel: pixelsOf(weight) }),
    },
  },
  onnx: (graph, { y, weight }, { size, ...window }, { inputs }) => {
    const [high, wide] = coveredBy(pixelsOf(inputs.y), pixelsOf(inputs.weight), window);
    const output_padding = [size[0] - high, size[1] - wide];
    const attributes = { strides: strideOf(window), pads: paddingOf(window), output_padding };
    return graph.node("ConvTranspose", [y, weight], { attributes });
  },
  reference: ({ y, weight }, { size: _, ...window }, { shape }) =>
    reference(shape, (x) => {
      forEachProduct([imagesOf("x", x), kernelOf(weight), imagesOf("y", y)], window, (i, j, k) => {
        addAt(x, i, nth(y.data, k) * nth(weight.data, j));
      });
    }),
  examples: [
    example("[2 4 5 4] [4 3 3 3]", { size: [5, 4], padding: [1, 1, 1, 1] }),
    example("[1 3 3 3] [3 2 3 3]", { size: [6, 6], stride: [2, 2], padding: [0, 0, 1, 1] }),
    example("[2 1 3 4] [1 1 4 2]", { size: [6, 5], stride: [2, 1], padding: [1, 0, 1, 0] }),
  ],
  rejects: [
    reject("[1 4 3 3] [3 2 3 3]", /y has 4 channels, weight makes 3/, { size: [5, 5] }),
    reject("[1 3 3 3] [3 2 3 3]", /an image \[6 6\] gives \[4 4\]: y is float32\[1 3 3 3\]/, { size: [6, 6] }),
  ],
});

/** x padded, with its channels first: [I B H W], as the kernel's gradient reads it. */
const padded = (graph: Lowering, x: string, window: Window, dtype: TensorType["dtype"]): string => {
  const padding = paddingOf(window);
  const [above, left, below, right] = padding;
  const first = graph.node("Transpose", [x], { attributes: { perm: [1, 0, 2, 3] } });
  if (padding.every((n) => n === 0)) return first;
  return graph.node("Pad", [first, graph.integers([0, 0, above, left, 0, 0, below, right]), graph.scalar(0, dtype)]);
};

/**
 * One matrix product for each place of the kernel, over samples and pixels:
 * [O, B·R·C] · [I, B·R·C]ᵀ. The same as a Conv with batch and channels exchanged, whose products
 * would be as narrow as the kernel.
 */
const emitKernelGradient = (
  graph: Lowering,
  [x, y]: readonly [string, string],
  { kernel, ...window }: OntoKernel,
  inputs: { readonly x: Tensor; readonly y: Tensor },
): string => {
  const [, inner] = inputs.x.dims("B I H W");
  const [batch, outer, rows, columns] = inputs.y.dims("B O R C");
  const [stride, length] = [strideOf(window), batch * rows * columns];
  const image = padded(graph, x, window, inputs.x.dtype);
  const flat = (value: string, channels: number) => graph.node("Reshape", [value, graph.integers([channels, length])]);
  const left = flat(graph.node("Transpose", [y], { attributes: { perm: [1, 0, 2, 3] } }), outer);
  const product = (down: number, right: number): string => {
    const end = [down + (rows - 1) * stride[0] + 1, right + (columns - 1) * stride[1] + 1];
    const ranges = [[down, right], end, [2, 3], stride].map((values) => graph.integers(values));
    const met = flat(graph.node("Slice", [image, ...ranges]), inner);
    const full = graph.node("Gemm", [left, met], { attributes: { transB: 1 } });
    return graph.node("Reshape", [full, graph.integers([outer, inner, 1])]);
  };
  const [high, wide] = kernel;
  const all = Array.from({ length: high * wide }, (_, k) => product(Math.floor(k / wide), k % wide));
  const joined = all.length === 1 ? nth(all, 0) : graph.node("Concat", all, { attributes: { axis: 2 } });
  return graph.node("Reshape", [joined, graph.integers([outer, inner, ...kernel])]);
};

/** The adjoint of `conv2d` in its weight: what each place of the kernel met.   x [B I H W], y [B O R C] → weight [O I h w] */
export const convKernel2d: OpFunction<readonly ["x", "y"], OntoKernel> = bilinear({
  name: "convKernel2d",
  inputs: ["x", "y"],
  infer: ({ x, y }, { kernel, ...window }) => {
    const [[B, I, H, W], images] = [imagesOf("x", x), imagesOf("y", y)];
    const [samples, O] = images;
    check(B === samples, `x has ${B} samples, y has ${samples}`);
    const wanted = resultSize([H, W], kernel, window);
    check(hasSize(images, wanted), `x gives [${wanted.join(" ")}]`);
    return { dtype: x.dtype, shape: [O, I, ...kernel] };
  },
  wrt: {
    x: {
      adjoint: (ct, { x, y }, { attributes: { kernel: _, ...window } }) =>
        convTranspose2d(y, ct, { ...window, size: pixelsOf(x) }),
    },
    y: { adjoint: (ct, { x }, { attributes: { kernel: _, ...window } }) => conv2d(x, ct, window) },
  },
  onnx: (graph, { x, y }, attributes, { inputs }) => emitKernelGradient(graph, [x, y], attributes, inputs),
  reference: ({ x, y }, { kernel: _, ...window }, { shape }) =>
    reference(shape, (weight) => {
      forEachProduct([imagesOf("x", x), kernelOf(weight), imagesOf("y", y)], window, (i, j, k) => {
        addAt(weight, j, nth(x.data, i) * nth(y.data, k));
      });
    }),
  examples: [
    example("[2 3 5 4] [2 4 5 4]", { kernel: [3, 3], padding: [1, 1, 1, 1] }),
    example("[2 3 4 4] [2 2 4 4]", { kernel: [1, 1] }),
    example("[1 2 6 6] [1 3 3 3]", { kernel: [3, 3], stride: [2, 2], padding: [0, 0, 1, 1] }),
  ],
  rejects: [
    reject("[2 3 4 4] [1 2 4 4]", /x has 2 samples, y has 1/, { kernel: [1, 1] }),
    reject("[2 3 4 4] [2 2 3 3]", /x gives \[4 4\]: x is float32\[2 3 4 4\].*, y is float32\[2 2 3 3\]/, {
      kernel: [1, 1],
    }),
  ],
});
