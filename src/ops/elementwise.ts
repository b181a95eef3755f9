import { isFloat, type TensorType } from "../graph/dtype.js";
import type { Lowering, Traits } from "../graph/op.js";
import type { Tensor } from "../graph/tensor.js";
import { lift, type TensorLike } from "./constant.js";
import { check, type Derivative, defineOp, type Named, type OpFunction, type OpSpec, type Zero } from "./define.js";
import { example, reject } from "./examples.js";
import type { Unary } from "./families.js";
import { broadcastShapes, mapBroadcast } from "./ndarray.js";

type None = Record<string, never>;

/** Multiplies a tangent or a cotangent by the partial derivative: element-wise, both modes are the same diagonal map. */
type Scale<I extends string> = (g: Tensor, values: Named<I, Tensor>, y: Tensor) => Tensor;

const diagonal = <I extends string>(scale: Scale<I> | Zero): Derivative<I, None> | Zero => {
  if (typeof scale !== "function") return scale;
  const both: Derivative<I, None>["jvp"] = (inputs, g, { y }) => scale(g, inputs, y);
  return { jvp: both, vjp: both };
};

type Emit<I extends string> = string | ((graph: Lowering, inputs: Named<I, string>, type: TensorType) => string);

const emit =
  <I extends string>(names: readonly I[], how: Emit<I>): OpSpec<I, None>["onnx"] =>
  (graph, inputs, _, { y }) =>
    typeof how === "string"
      ? graph.node(
          how,
          names.map((n) => inputs[n]),
        )
      : how(graph, inputs, y.type);

type UnarySpec = Traits & {
  readonly name: string;
  readonly value: (x: number) => number;
  readonly derivative: Scale<"x"> | Zero;
  readonly onnx: Emit<"x">;
  /** Where the examples draw from; the default is [-2, 2]. */
  readonly range?: readonly [number, number];
  readonly simplify?: OpSpec<"x", None>["simplify"];
};

/** y = f(x), element by element. */
export const unary = ({ value, derivative, onnx, range = [-2, 2], ...rest }: UnarySpec): Unary =>
  defineOp({
    ...rest,
    inputs: ["x"],
    infer: ({ x }) => {
      check(isFloat(x.dtype), "x must be a float tensor");
      return x;
    },
    wrt: { x: diagonal<"x">(derivative) },
    onnx: emit<"x">(["x"], onnx),
    reference: ({ x }) => ({ shape: x.shape, data: x.data.map(value) }),
    examples: ["[2 3]", "[]", "[4 1 5]"].map((type) => example(type, undefined, { range })),
    rejects: [reject("int64[2]", /x must be a float tensor: x is int64\[2\]/)],
  });

type BinarySpec = Traits & {
  readonly name: string;
  readonly value: (a: number, b: number) => number;
  readonly wrt: { a: Scale<"a" | "b"> | Zero; b: Scale<"a" | "b"> | Zero };
  readonly onnx: Emit<"a" | "b">;
  /** Where the examples draw a and b from; the default is [-2, 2]. */
  readonly ranges?: readonly [readonly [number, number], readonly [number, number]];
  /** Comparisons give bool; the default is the inputs' type. */
  readonly result?: "bool";
  readonly simplify?: OpSpec<"a" | "b", None>["simplify"];
};

/** An element-wise function of two tensors, or of a tensor and a number. */
export type BinaryFunction = ((a: TensorLike, b: TensorLike) => Tensor) & Pick<OpFunction<readonly []>, "op">;

const PAIRS = [
  ["[2 3]", "[2 3]"],
  ["[2 3]", "[3]"],
  ["[4 1 5]", "[3 1]"],
  ["[]", "[2]"],
  ["[2 1 1]", "[]"],
] as const;

/** y = f(a, b), element by element, broadcasting as numpy does; the element types must be equal. */
export const binary = ({ value, wrt, onnx, ranges, result, ...rest }: BinarySpec): BinaryFunction => {
  const [rangeA, rangeB] = ranges ?? [undefined, undefined];
  const of = (type: string, range = rangeA) => example(type, undefined, { ...(range && { range }) }).inputs;
  const define = defineOp({
    elementwise: true,
    ...rest,
    inputs: ["a", "b"],
    infer: ({ a, b }) => {
      check(a.dtype === b.dtype, "the element types differ");
      return { dtype: result ?? a.dtype, shape: broadcastShapes(a.shape, b.shape) };
    },
    wrt: { a: diagonal(wrt.a), b: diagonal(wrt.b) },
    onnx: emit<"a" | "b">(["a", "b"], onnx),
    reference: ({ a, b }, _, { shape }) => mapBroadcast(shape, [a, b], value),
    examples: PAIRS.map(([a, b]) => ({ inputs: [...of(a), ...of(b, rangeB)] })),
    rejects: [
      reject("[2 3] [4]", /shapes \[2 3\] and \[4\] do not broadcast: a is float32\[2 3\].*, b is float32\[4\]/),
      reject("[2] int64[2]", /element types differ: a is float32\[2\].*, b is int64\[2\]/),
    ],
  });
  return Object.assign((a: TensorLike, b: TensorLike): Tensor => define(...lift(a, b)), { op: define.op });
};

/** The derivative of comparisons, roundings and the like. */
export const flat: Zero = { zero: "piecewise constant" };
