import { type Shape, sizeOf, type TensorType } from "../graph/dtype.js";
import type { Lowering, NdArray } from "../graph/op.js";
import { check, defineOp, type OpFunction, show } from "./define.js";
import { checkImages, forEachProduct, lastTwo, paddingOf, resultSize, strideOf, type Window } from "./window.js";

/** Rows and columns of the image that a transposed convolution makes: with a stride, several sizes would fit. */
type OntoImage = Window & { readonly size: readonly [number, number] };
/** Rows and columns of the kernel whose gradient is asked for. */
type OntoKernel = Window & { readonly kernel: readonly [number, number] };

const zeros = (shape: Shape): NdArray => ({ shape, data: new Float64Array(sizeOf(shape)) });

/**
 * A convolution as networks mean it (the kernel is not mirrored):
 * y[b o r c] = Σ x[b i, r·stride + k − padding, …] · weight[o i k …].   x [B I H W], weight [O I h w] → y [B O R C]
 *
 * With its two adjoints it is one trilinear form ⟨y, x ∗ weight⟩, so the three are each other's derivatives.
 */
export const conv2d: OpFunction<readonly ["x", "weight"], Window> = defineOp({
  name: "conv2d",
  inputs: ["x", "weight"],
  infer: ({ x, weight }, window) => {
    checkImages({ x, weight });
    check(x.shape[1] === weight.shape[1], `x has ${x.shape[1]} channels, weight reads ${weight.shape[1]}`);
    return { dtype: x.dtype, shape: [x.shape[0]!, weight.shape[0]!, ...resultSize(x.shape, weight.shape, window)] };
  },
  wrt: {
    x: {
      jvp: ({ weight }, dx, { attributes }) => conv2d(dx, weight, attributes),
      vjp: ({ x, weight }, ct, { attributes }) =>
        convTranspose2d(ct, weight, { ...attributes, size: lastTwo(x.shape) }),
    },
    weight: {
      jvp: ({ x }, dw, { attributes }) => conv2d(x, dw, attributes),
      vjp: ({ x, weight }, ct, { attributes }) => convKernel2d(x, ct, { ...attributes, kernel: lastTwo(weight.shape) }),
    },
  },
  onnx: (graph, { x, weight }, window) =>
    graph.node("Conv", [x, weight], { attributes: { strides: strideOf(window), pads: paddingOf(window) } }),
  reference: ({ x, weight }, window, [type]) => {
    const y = zeros(type!.shape);
    forEachProduct([x.shape, weight.shape, y.shape], window, (i, j, k) => {
      y.data[k]! += x.data[i]! * weight.data[j]!;
    });
    return y;
  },
  examples: [
    {
      inputs: [
        [2, 3, 5, 4],
        [4, 3, 3, 3],
      ],
      attributes: { padding: [1, 1, 1, 1] },
    },
    {
      inputs: [
        [2, 3, 4, 5],
        [2, 3, 1, 1],
      ],
    },
    {
      inputs: [
        [1, 2, 6, 6],
        [3, 2, 3, 3],
      ],
      attributes: { stride: [2, 2], padding: [0, 0, 1, 1] },
    },
    {
      inputs: [
        [2, 1, 6, 5],
        [1, 1, 4, 2],
      ],
      attributes: { stride: [2, 1], padding: [1, 0, 1, 0] },
    },
    {
      inputs: [
        [1, 2, 5, 6],
        [3, 2, 3, 1],
      ],
      attributes: { stride: [3, 2] },
    },
  ],
  rejects: [
    {
      inputs: [
        [3, 5, 4],
        [4, 3, 3, 3],
      ],
      message: /x must have four axes, got float32\[3 5 4\]/,
    },
    {
      inputs: [
        [1, 3, 5, 4],
        [4, 2, 3, 3],
      ],
      message: /x has 3 channels, weight reads 2/,
    },
    {
      inputs: [
        [1, 3, 2, 4],
        [4, 3, 3, 3],
      ],
      message: /kernel \[3 3\] is larger than the padded image \[2 4\]/,
    },
    {
      inputs: [
        [1, 3, 4, 4],
        [4, 3, 3, 3],
      ],
      attributes: { stride: [0, 1] },
      message: /stride \[0 1\] must be at least 1/,
    },
    {
      inputs: [[1, 3, 4, 4], { shape: [4, 3, 3, 3], dtype: "float64" }],
      message: /element types differ: float32 and float64/,
    },
  ],
});

/** The adjoint of `conv2d` in x: every y is spread over the places it was read from.   y [B O R C], weight [O I h w] → x [B I H W] */
export const convTranspose2d: OpFunction<readonly ["y", "weight"], OntoImage> = defineOp({
  name: "convTranspose2d",
  inputs: ["y", "weight"],
  infer: ({ y, weight }, { size, ...window }) => {
    checkImages({ y, weight });
    check(y.shape[1] === weight.shape[0], `y has ${y.shape[1]} channels, weight makes ${weight.shape[0]}`);
    const wanted = resultSize(size, weight.shape, window);
    check(
      `${wanted}` === `${lastTwo(y.shape)}`,
      `an image [${size.join(" ")}] gives [${wanted.join(" ")}], y is ${show(y.shape)}`,
    );
    return { dtype: y.dtype, shape: [y.shape[0]!, weight.shape[1]!, ...size] };
  },
  wrt: {
    y: {
      jvp: ({ weight }, dy, { attributes }) => convTranspose2d(dy, weight, attributes),
      vjp: ({ weight }, ct, { attributes: { size: _, ...window } }) => conv2d(ct, weight, window),
    },
    weight: {
      jvp: ({ y }, dw, { attributes }) => convTranspose2d(y, dw, attributes),
      vjp: ({ y, weight }, ct, { attributes: { size: _, ...window } }) =>
        convKernel2d(ct, y, { ...window, kernel: lastTwo(weight.shape) }),
    },
  },
  onnx: (graph, { y, weight }, { size, ...window }, node) => {
    const [rows, kernel] = [lastTwo(node.inputs[0]!.shape), lastTwo(node.inputs[1]!.shape)];
    const [stride, padding] = [strideOf(window), paddingOf(window)];
    const covered = [0, 1].map(
      (axis) => (rows[axis]! - 1) * stride[axis]! + kernel[axis]! - padding[axis]! - padding[axis + 2]!,
    );
    const attributes = { strides: stride, pads: padding, output_padding: size.map((n, axis) => n - covered[axis]!) };
    return graph.node("ConvTranspose", [y, weight], { attributes });
  },
  reference: ({ y, weight }, { size: _, ...window }, [type]) => {
    const x = zeros(type!.shape);
    forEachProduct([x.shape, weight.shape, y.shape], window, (i, j, k) => {
      x.data[i]! += y.data[k]! * weight.data[j]!;
    });
    return x;
  },
  examples: [
    {
      inputs: [
        [2, 4, 5, 4],
        [4, 3, 3, 3],
      ],
      attributes: { size: [5, 4], padding: [1, 1, 1, 1] },
    },
    {
      inputs: [
        [1, 3, 3, 3],
        [3, 2, 3, 3],
      ],
      attributes: { size: [6, 6], stride: [2, 2], padding: [0, 0, 1, 1] },
    },
    {
      inputs: [
        [2, 1, 3, 4],
        [1, 1, 4, 2],
      ],
      attributes: { size: [6, 5], stride: [2, 1], padding: [1, 0, 1, 0] },
    },
  ],
  rejects: [
    {
      inputs: [
        [1, 4, 3, 3],
        [3, 2, 3, 3],
      ],
      attributes: { size: [5, 5] },
      message: /y has 4 channels, weight makes 3/,
    },
    {
      inputs: [
        [1, 3, 3, 3],
        [3, 2, 3, 3],
      ],
      attributes: { size: [6, 6] },
      message: /an image \[6 6\] gives \[4 4\], y is \[1 3 3 3\]/,
    },
  ],
});

/** x padded, with its channels first: [I B H W], as the kernel's gradient reads it. */
const padded = (graph: Lowering, x: string, padding: readonly number[], dtype: TensorType["dtype"]): string => {
  const [above, left, below, right] = padding as [number, number, number, number];
  const first = graph.node("Transpose", [x], { attributes: { perm: [1, 0, 2, 3] } });
  if (padding.every((n) => n === 0)) return first;
  return graph.node("Pad", [first, graph.integers([0, 0, above, left, 0, 0, below, right]), graph.scalar(0, dtype)]);
};

/** The adjoint of `conv2d` in its weight: what each place of the kernel met.   x [B I H W], y [B O R C] → weight [O I h w] */
export const convKernel2d: OpFunction<readonly ["x", "y"], OntoKernel> = defineOp({
  name: "convKernel2d",
  inputs: ["x", "y"],
  infer: ({ x, y }, { kernel, ...window }) => {
    checkImages({ x, y });
    check(x.shape[0] === y.shape[0], `x has ${x.shape[0]} samples, y has ${y.shape[0]}`);
    const wanted = resultSize(x.shape, kernel, window);
    check(
      `${wanted}` === `${lastTwo(y.shape)}`,
      `x ${show(x.shape)} gives [${wanted.join(" ")}], y is ${show(y.shape)}`,
    );
    return { dtype: x.dtype, shape: [y.shape[1]!, x.shape[1]!, ...kernel] };
  },
  wrt: {
    x: {
      jvp: ({ y }, dx, { attributes }) => convKernel2d(dx, y, attributes),
      vjp: ({ x, y }, ct, { attributes: { kernel: _, ...window } }) =>
        convTranspose2d(y, ct, { ...window, size: lastTwo(x.shape) }),
    },
    y: {
      jvp: ({ x }, dy, { attributes }) => convKernel2d(x, dy, attributes),
      vjp: ({ x }, ct, { attributes: { kernel: _, ...window } }) => conv2d(x, ct, window),
    },
  },
  // One matrix product for each place of the kernel, over samples and pixels: [O, B·R·C] · [I, B·R·C]ᵀ.
  // The same as a Conv with batch and channels exchanged, whose products would be as narrow as the kernel.
  onnx: (graph, { x, y }, { kernel, ...window }, node) => {
    const [inner, outer] = [node.inputs[0]!.dim(1), node.inputs[1]!.dim(1)];
    const [rows, columns] = lastTwo(node.inputs[1]!.shape);
    const [stride, length] = [strideOf(window), node.inputs[1]!.dim(0) * rows * columns];
    const image = padded(graph, x, paddingOf(window), node.inputs[0]!.dtype);
    const flat = (value: string, channels: number) =>
      graph.node("Reshape", [value, graph.integers([channels, length])]);
    const left = flat(graph.node("Transpose", [y], { attributes: { perm: [1, 0, 2, 3] } }), outer);
    const product = (down: number, right: number): string => {
      const end = [down + (rows - 1) * stride[0] + 1, right + (columns - 1) * stride[1] + 1];
      const ranges = [[down, right], end, [2, 3], stride].map((values) => graph.integers(values));
      const met = flat(graph.node("Slice", [image, ...ranges]), inner);
      const full = graph.node("Gemm", [left, met], { attributes: { transB: 1 } });
      return graph.node("Reshape", [full, graph.integers([outer, inner, 1])]);
    };
    const all = Array.from({ length: kernel[0] * kernel[1] }, (_, k) =>
      product(Math.floor(k / kernel[1]), k % kernel[1]),
    );
    const joined = all.length === 1 ? all[0]! : graph.node("Concat", all, { attributes: { axis: 2 } });
    return graph.node("Reshape", [joined, graph.integers([outer, inner, ...kernel])]);
  },
  reference: ({ x, y }, { kernel: _, ...window }, [type]) => {
    const weight = zeros(type!.shape);
    forEachProduct([x.shape, weight.shape, y.shape], window, (i, j, k) => {
      weight.data[j]! += x.data[i]! * y.data[k]!;
    });
    return weight;
  },
  examples: [
    {
      inputs: [
        [2, 3, 5, 4],
        [2, 4, 5, 4],
      ],
      attributes: { kernel: [3, 3], padding: [1, 1, 1, 1] },
    },
    {
      inputs: [
        [2, 3, 4, 4],
        [2, 2, 4, 4],
      ],
      attributes: { kernel: [1, 1] },
    },
    {
      inputs: [
        [1, 2, 6, 6],
        [1, 3, 3, 3],
      ],
      attributes: { kernel: [3, 3], stride: [2, 2], padding: [0, 0, 1, 1] },
    },
  ],
  rejects: [
    {
      inputs: [
        [2, 3, 4, 4],
        [1, 2, 4, 4],
      ],
      attributes: { kernel: [1, 1] },
      message: /x has 2 samples, y has 1/,
    },
    {
      inputs: [
        [2, 3, 4, 4],
        [2, 2, 3, 3],
      ],
      attributes: { kernel: [1, 1] },
      message: /x \[2 3 4 4\] gives \[4 4\], y is \[2 2 3 3\]/,
    },
  ],
});
