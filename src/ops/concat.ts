import type { TensorType } from "../graph/dtype.js";
import { last, nth, zip } from "../graph/lists.js";
import type { Attributes, NdArray, Op } from "../graph/op.js";
import { scopeNote, type Tensor } from "../graph/tensor.js";
import { applyOp, check, makeOp } from "./define.js";
import { example, reject } from "./examples.js";
import { variadic } from "./families.js";
import { at, fromIndices, normalAxis, resized, shifted } from "./ndarray.js";
import { slice } from "./slice.js";
import { zeros } from "./zeros.js";

/** Where each part begins along the axis, and where the last one ends. */
const offsets = (sizes: readonly number[]): number[] => {
  const ends = [0];
  for (const size of sizes) ends.push(last(ends) + size);
  return ends;
};

/**
 * Whether a part joins another along an axis: all other sizes and the element types are the same.
 */
const joins = (part: TensorType, first: TensorType, axis: number): boolean =>
  part.dtype === first.dtype &&
  part.shape.length === first.shape.length &&
  part.shape.every((size, i) => i === axis || size === first.shape[i]);

const joinAt = (parts: readonly NdArray[], along: number) => {
  const ends = offsets(parts.map((part) => nth(part.shape, along)));
  return (index: readonly number[]): number => {
    const i = ends.findIndex((end) => nth(index, along) < end) - 1;
    return at(nth(parts, i), shifted(index, along, -nth(ends, i)));
  };
};

/** Joins tensors along one axis. */
export const concat = variadic<{ axis: number }>(
  {
    name: "concat",
    infer: (parts, { axis }) => {
      const [first] = parts;
      if (!first) throw new Error("there is nothing to join");
      const along = normalAxis(axis, first.shape.length);
      const stranger = parts.findIndex((part) => !joins(part, first, along));
      check(stranger < 0, `input ${stranger} does not join input 0 along axis ${along}`);
      const total = parts.reduce((n, part) => n + nth(part.shape, along), 0);
      return { dtype: first.dtype, shape: resized(first.shape, along, total) };
    },
    adjoint: (ct, i, parts, { axis }) => {
      const ends = offsets(parts.map((part) => part.dim(axis)));
      return slice(ct, { axis, start: nth(ends, i), end: nth(ends, i + 1) });
    },
    onnx: (graph, parts, { axis }) => graph.node("Concat", parts, { attributes: { axis } }),
    reference: (parts, { axis }, { shape }) => fromIndices(shape, joinAt(parts, normalAxis(axis, shape.length))),
    simplify: ([first, ...others]) => (first && others.length === 0 ? first : null),
    examples: [
      example("[2 3] [1 3]", { axis: 0 }),
      example("[2 1] [2 3] [2 2]", { axis: -1 }),
      example("[4]", { axis: 0 }),
    ],
    rejects: [
      reject("[2 3] [2 4]", /input 1 does not join input 0 along axis 0: .* float32\[2 3\].* float32\[2 4\]/, {
        axis: 0,
      }),
      reject("", /there is nothing to join/, { axis: 0 }),
    ],
  },
  ({ shape, dtype }) => zeros(shape, dtype),
);

type Sizes = { readonly axis: number; readonly sizes: readonly number[] };

const splitOp: Op = makeOp<"x", Attributes & Sizes>({
  name: "split",
  inputs: ["x"],
  infer: ({ x }, { axis, sizes }) => {
    const along = normalAxis(axis, x.shape.length);
    const [total, size] = [sizes.reduce((n, part) => n + part, 0), nth(x.shape, along)];
    check(total === size, `sizes [${sizes.join(" ")}] add up to ${total}, axis ${axis} has ${size}`);
    return sizes.map((part) => ({ dtype: x.dtype, shape: resized(x.shape, along, part) }));
  },
  wrt: {
    x: {
      jvp: (_, dx, { attributes }) => split(dx, attributes),
      vjp: (_, cotangents, { attributes: { axis }, outputs }) =>
        concat(
          zip(outputs, cotangents).map(([y, ct]) => ct ?? zeros(y.shape, y.dtype)),
          { axis },
        ),
    },
  },
  onnx: (graph, { x }, { axis, sizes }) =>
    graph.nodes("Split", [x, graph.integers(sizes)], sizes.length, { attributes: { axis } }),
  reference: ({ x }, { axis, sizes }, outputs) => {
    const along = normalAxis(axis, x.shape.length);
    return zip(outputs, offsets(sizes).slice(0, -1)).map(([{ shape }, start]) =>
      fromIndices(shape, (index) => at(x, shifted(index, along, start))),
    );
  },
  examples: [example("[2 6]", { axis: 1, sizes: [1, 2, 3] }), example("[4 3]", { axis: 0, sizes: [2, 2] })],
  rejects: [
    reject("[2 6]", /sizes \[2 2\] add up to 4, axis 1 has 6: x is float32\[2 6\]/, { axis: 1, sizes: [2, 2] }),
  ],
});

/** N tensors, as a tuple where N is a number that the compiler knows. */
type Tensors<N extends number, Found extends Tensor[] = []> = number extends N
  ? Tensor[]
  : Found["length"] extends N
    ? Found
    : Tensors<N, [...Found, Tensor]>;

/** Sizes of n equal parts. */
const equalParts = (x: Tensor, n: number, axis: number): Sizes => {
  const size = x.dim(axis);
  const sizes = Array.from({ length: n }, () => size / n);
  if (size % n === 0) return { axis: normalAxis(axis, x.rank), sizes };
  throw new Error(`split: axis ${axis} of ${x} has ${size} elements, not ${n} equal parts${scopeNote()}`);
};

function cut<const S extends readonly number[]>(
  x: Tensor,
  parts: { readonly axis: number; readonly sizes: S },
): { [K in keyof S]: Tensor };
function cut<const N extends number>(x: Tensor, parts: N, axis?: number): Tensors<N>;
function cut(x: Tensor, parts: number | Sizes, axis = -1): readonly Tensor[] {
  return applyOp(splitOp, [x], typeof parts === "number" ? equalParts(x, parts, axis) : parts);
}

/**
 * Cuts a tensor along one axis: into parts of given sizes, or into so many equal ones, by default
 * along the last axis. As many tensors come back, as a tuple: `const [q, k, v] = split(qkv, 3)`.
 * The inverse of `concat`.
 */
export const split = Object.assign(cut, { op: splitOp });
