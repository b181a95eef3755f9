import type { Attributes, Op } from "../graph/op.js";
import type { Tensor } from "../graph/tensor.js";
import { applyOp, check, makeOp, show } from "./define.js";
import { fromIndices, normalAxis } from "./ndarray.js";
import { slice } from "./slice.js";
import { zeros } from "./zeros.js";

/** Where each part begins along the axis, and where the last one ends. */
const offsets = (sizes: readonly number[]): number[] => {
  const ends = [0];
  for (const size of sizes) ends.push(ends.at(-1)! + size);
  return ends;
};

const range = (parts: readonly Tensor[], axis: number, i: number) => {
  const ends = offsets(parts.map((part) => part.dim(axis)));
  return { axis, start: ends[i]!, end: ends[i + 1]! };
};

const concatOp: Op = {
  name: "concat",
  infer: (parts, attributes) => {
    const [first] = parts;
    if (!first) throw new Error("there is nothing to join");
    const axis = normalAxis(attributes.axis as number, first.shape.length);
    for (const part of parts) {
      const fits = part.dtype === first.dtype && part.shape.length === first.shape.length;
      const same = fits && part.shape.every((size, i) => i === axis || size === first.shape[i]);
      check(same, `${show(part)} does not join ${show(first)} along axis ${axis}`);
    }
    const total = parts.reduce((n, part) => n + part.shape[axis]!, 0);
    return [{ dtype: first.dtype, shape: first.shape.map((size, i) => (i === axis ? total : size)) }];
  },
  jvp: (node, tangent, i) => [
    concat(
      node.inputs.map((x, k) => (k === i ? tangent : zeros(x.shape, x.dtype))),
      node.attributes as { axis: number },
    ),
  ],
  vjp: (node, [ct], i) => slice(ct!, range(node.inputs, node.attributes.axis as number, i)),
  onnx: (graph, { attributes }, inputs) => [
    graph.node("Concat", inputs, { attributes: { axis: attributes.axis as number } }),
  ],
  reference: (parts, attributes, [y]) => {
    const axis = normalAxis(attributes.axis as number, y!.shape.length);
    const ends = offsets(parts.map((part) => part.shape[axis]!));
    return [
      fromIndices(y!.shape, (index) => {
        const i = ends.findIndex((end) => index[axis]! < end) - 1;
        const part = parts[i]!;
        return part.data[part.shape.reduce((n, size, k) => n * size + index[k]! - (k === axis ? ends[i]! : 0), 0)]!;
      }),
    ];
  },
  simplify: (parts) => (parts.length === 1 ? parts[0]! : null),
  examples: [
    {
      inputs: [
        [2, 3],
        [1, 3],
      ],
      attributes: { axis: 0 },
    },
    {
      inputs: [
        [2, 1],
        [2, 3],
        [2, 2],
      ],
      attributes: { axis: -1 },
    },
    { inputs: [[4]], attributes: { axis: 0 } },
  ],
  rejects: [
    {
      inputs: [
        [2, 3],
        [2, 4],
      ],
      attributes: { axis: 0 },
      message: /float32\[2 4\] does not join float32\[2 3\] along axis 0/,
    },
    { inputs: [], attributes: { axis: 0 }, message: /there is nothing to join/ },
  ],
};

/** Joins tensors along one axis. */
export const concat = Object.assign(
  (parts: readonly Tensor[], attributes: { readonly axis: number }): Tensor => applyOp(concatOp, parts, attributes)[0]!,
  { op: concatOp },
);

type Sizes = { readonly axis: number; readonly sizes: readonly number[] };

const splitOp: Op = makeOp<"x", Attributes & Sizes>({
  name: "split",
  inputs: ["x"],
  infer: ({ x }, { axis, sizes }) => {
    const along = normalAxis(axis, x.shape.length);
    const total = sizes.reduce((n, size) => n + size, 0);
    check(
      total === x.shape[along],
      `sizes [${sizes.join(" ")}] add up to ${total}, axis ${axis} has ${x.shape[along]}`,
    );
    return sizes.map((size) => ({ dtype: x.dtype, shape: x.shape.map((d, i) => (i === along ? size : d)) }));
  },
  wrt: {
    x: {
      jvp: (_, dx, { attributes }) => split(dx, attributes),
      vjp: (_, __, { attributes: { axis }, cotangents, outputs }) =>
        concat(
          cotangents.map((ct, i) => ct ?? zeros(outputs[i]!.shape, outputs[i]!.dtype)),
          { axis },
        ),
    },
  },
  onnx: (graph, { x }, { axis, sizes }) =>
    graph.nodes("Split", [x, graph.integers(sizes)], sizes.length, { attributes: { axis } }),
  reference: ({ x }, { axis, sizes }, outputs) => {
    const along = normalAxis(axis, x.shape.length);
    return outputs.map((y, i) =>
      fromIndices(y.shape, (index) => {
        const start = offsets(sizes)[i]!;
        return x.data[x.shape.reduce((n, size, k) => n * size + index[k]! + (k === along ? start : 0), 0)]!;
      }),
    );
  },
  examples: [
    { inputs: [[2, 6]], attributes: { axis: 1, sizes: [1, 2, 3] } },
    { inputs: [[4, 3]], attributes: { axis: 0, sizes: [2, 2] } },
  ],
  rejects: [
    { inputs: [[2, 6]], attributes: { axis: 1, sizes: [2, 2] }, message: /sizes \[2 2\] add up to 4, axis 1 has 6/ },
  ],
});

/** Cuts a tensor into parts of the given sizes along one axis; the inverse of `concat`. */
export const split = Object.assign(
  (x: Tensor, attributes: Sizes): readonly Tensor[] => applyOp(splitOp, [x], attributes),
  { op: splitOp },
);
