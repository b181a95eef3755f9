import { isFloat, type TensorType } from "../graph/dtype.js";
import type { Lowering } from "../graph/op.js";
import type { Tensor } from "../graph/tensor.js";
import { lift, type TensorLike } from "./constant.js";
import { check, defineOp, type OpFunction, type OpSpec, show, type Zero } from "./define.js";
import { broadcastShapes, mapBroadcast } from "./ndarray.js";

type Values<I extends string> = { readonly [K in I]: Tensor } & { readonly y: Tensor };

/** Multiplies a tangent or a cotangent by the partial derivative: element-wise, both modes are the same diagonal map. */
type Scale<I extends string> = (g: Tensor, values: Values<I>) => Tensor;

const diagonal = <I extends string>(scale: Scale<I> | Zero) =>
  typeof scale === "function"
    ? {
        jvp: (inputs: { readonly [K in I]: Tensor }, g: Tensor, { y }: { y: Tensor }) =>
          scale(g, { ...inputs, y } as Values<I>),
        vjp: (inputs: { readonly [K in I]: Tensor }, g: Tensor, { y }: { y: Tensor }) =>
          scale(g, { ...inputs, y } as Values<I>),
      }
    : scale;

type Emit<I extends string> =
  | string
  | ((graph: Lowering, inputs: { readonly [K in I]: string }, type: TensorType) => string);

const emit =
  <I extends string>(names: readonly I[], how: Emit<I>) =>
  (graph: Lowering, inputs: { readonly [K in I]: string }, _: unknown, node: { outputs: readonly Tensor[] }): string =>
    typeof how === "string"
      ? graph.node(
          how,
          names.map((n) => inputs[n]),
        )
      : how(graph, inputs, node.outputs[0]!.type);

type UnarySpec = {
  readonly name: string;
  readonly value: (x: number) => number;
  readonly derivative: Scale<"x"> | Zero;
  readonly onnx: Emit<"x">;
  /** Where the examples draw from; the default is [-2, 2]. */
  readonly range?: [number, number];
  readonly simplify?: OpSpec<"x", Record<string, never>>["simplify"];
};

/** y = f(x), element by element. */
export const unary = ({
  name,
  value,
  derivative,
  onnx,
  range = [-2, 2],
  simplify,
}: UnarySpec): OpFunction<readonly ["x"], Record<string, never>> =>
  defineOp({
    name,
    inputs: ["x"],
    infer: ({ x }) => {
      check(isFloat(x.dtype), `x must be a float tensor, got ${show(x)}`);
      return x;
    },
    wrt: { x: diagonal<"x">(derivative) },
    onnx: emit<"x">(["x"], onnx),
    reference: ({ x }) => ({ shape: x.shape, data: x.data.map(value) }),
    ...(simplify && { simplify }),
    examples: [
      { inputs: [{ shape: [2, 3], range }] },
      { inputs: [{ shape: [], range }] },
      { inputs: [{ shape: [4, 1, 5], range }] },
    ],
    rejects: [{ inputs: [{ shape: [2], dtype: "int64" }], message: /x must be a float tensor, got int64\[2\]/ }],
  });

type BinarySpec = {
  readonly name: string;
  readonly value: (a: number, b: number) => number;
  readonly wrt: { a: Scale<"a" | "b"> | Zero; b: Scale<"a" | "b"> | Zero };
  readonly onnx: Emit<"a" | "b">;
  readonly ranges?: [[number, number], [number, number]];
  /** Comparisons give bool; the default is the inputs' type. */
  readonly result?: "bool";
  readonly simplify?: OpSpec<"a" | "b", Record<string, never>>["simplify"];
};

/** An element-wise function of two tensors, or of a tensor and a number. */
export type BinaryFunction = ((a: TensorLike, b: TensorLike) => Tensor) & {
  readonly op: OpFunction<readonly [], Record<string, never>>["op"];
};

/** y = f(a, b), element by element, broadcasting as numpy does; the element types must be equal. */
export const binary = ({ name, value, wrt, onnx, ranges, result, simplify }: BinarySpec): BinaryFunction => {
  const [a, b] = (
    ranges ?? [
      [-2, 2],
      [-2, 2],
    ]
  ).map((range) => ({ range }));
  const shapes = [
    [
      [2, 3],
      [2, 3],
    ],
    [[2, 3], [3]],
    [
      [4, 1, 5],
      [3, 1],
    ],
    [[], [2]],
    [[2, 1, 1], []],
  ] as const;
  const define = defineOp({
    name,
    inputs: ["a", "b"],
    infer: (types) => {
      check(types.a.dtype === types.b.dtype, `the element types differ: a is ${show(types.a)}, b is ${show(types.b)}`);
      return { dtype: result ?? types.a.dtype, shape: broadcastShapes(types.a.shape, types.b.shape) };
    },
    wrt: { a: diagonal(wrt.a), b: diagonal(wrt.b) },
    onnx: emit<"a" | "b">(["a", "b"], onnx),
    reference: (inputs, _, [y]) => mapBroadcast(y!.shape, [inputs.a, inputs.b], value),
    ...(simplify && { simplify }),
    examples: shapes.map(([left, right]) => ({
      inputs: [
        { shape: left, ...a },
        { shape: right, ...b },
      ],
    })),
    rejects: [
      { inputs: [[2, 3], [4]], message: /shapes \[2 3\] and \[4\] do not broadcast/ },
      { inputs: [[2], { shape: [2], dtype: "int64" }], message: /element types differ/ },
    ],
  });
  const call = (left: TensorLike, right: TensorLike): Tensor => {
    const [x, y] = lift(left, right);
    return define(x, y);
  };
  return Object.assign(call, { op: define.op });
};

/** The derivative of comparisons, roundings and the like. */
export const flat: Zero = { zero: "piecewise constant" };
