import type { TensorType } from "../graph/dtype.js";
import { nth } from "../graph/lists.js";
import type { Attributes, Example, Lowering, NdArray, Op, Reject, Traits } from "../graph/op.js";
import type { Tensor } from "../graph/tensor.js";
import { applyOne, type Context, check, defineOp, type Linear, type OpFunction, type OpSpec } from "./define.js";

type Tested = { readonly examples: readonly Example[]; readonly rejects: readonly Reject[] };

type LinearSpec<A> = Traits &
  Tested & {
    readonly name: string;
    infer(x: TensorType, attributes: A): TensorType;
    /** The cotangent of x from that of y. */
    adjoint(ct: Tensor, x: Tensor, context: Context<A>): Tensor | null;
    onnx(graph: Lowering, x: string, attributes: A, types: { readonly x: Tensor; readonly y: Tensor }): string;
    reference(x: NdArray, attributes: A, y: TensorType): NdArray;
    simplify?(x: Tensor, attributes: A, y: TensorType): Tensor | null;
  };

/** A function of one tensor and of attributes. */
export type Unary<A = Record<string, never>> = OpFunction<readonly ["x"], A>;

/**
 * y = L x: the tangent of the result is the operation on the tangent, the cotangent of x the
 * adjoint's on that of y.
 */
export const linear = <A extends Attributes>(spec: LinearSpec<A>): Unary<A> => {
  const { infer, adjoint, onnx, reference, simplify, ...rest } = spec;
  return defineOp<readonly ["x"], A>({
    ...rest,
    inputs: ["x"],
    infer: ({ x }, attributes) => infer(x, attributes),
    wrt: { x: { adjoint: (ct, { x }, context) => adjoint(ct, x, context) } },
    onnx: (graph, { x }, attributes, { inputs, y }) => onnx(graph, x, attributes, { x: inputs.x, y }),
    reference: ({ x }, attributes, y) => reference(x, attributes, y),
    ...(simplify && { simplify: ({ x }, attributes, y) => simplify(x, attributes, y) }),
  });
};

type BilinearSpec<I extends readonly [string, string], A> = Omit<OpSpec<I[number], A>, "wrt" | "inputs"> & {
  readonly inputs: I;
  readonly wrt: { readonly [K in I[number]]: Linear<I[number], A> };
};

/**
 * The first example with its second operand in float64, which no operation of two takes beside
 * float32.
 */
const mixed = ({ inputs, attributes = {} }: Example): Reject => {
  const shapes = inputs.map((spec) => ("shape" in spec ? spec.shape : spec));
  const [left, right] = [nth(shapes, 0), { shape: nth(shapes, 1), dtype: "float64" as const }];
  return { inputs: [left, right], attributes, message: /the element types differ: .* is float32\[.* is float64\[/ };
};

/** y = B(a, b), linear in each of two tensors of one element type. */
export const bilinear = <const I extends readonly [string, string], A extends Attributes>(
  spec: BilinearSpec<I, A>,
): OpFunction<I, A> => {
  const [a, b]: readonly [I[number], I[number]] = spec.inputs;
  return defineOp<I, A>({
    ...spec,
    infer: (types, attributes) => {
      check(types[a].dtype === types[b].dtype, "the element types differ");
      return spec.infer(types, attributes);
    },
    rejects: [...spec.rejects, mixed(nth(spec.examples, 0))],
  });
};

type VariadicSpec<A> = Traits &
  Tested & {
    readonly name: string;
    infer(parts: readonly TensorType[], attributes: A): TensorType;
    /** The cotangent of part i from that of y. */
    adjoint(ct: Tensor, i: number, parts: readonly Tensor[], attributes: A): Tensor;
    onnx(graph: Lowering, parts: readonly string[], attributes: A): string;
    reference(parts: readonly NdArray[], attributes: A, y: TensorType): NdArray;
    simplify?(parts: readonly Tensor[], attributes: A): Tensor | null;
  };

/**
 * y = L(parts), linear in any number of tensors together; `zero` makes what stands for those that
 * do not move.
 */
export const variadic = <A extends Attributes>(spec: VariadicSpec<A>, zero: (type: TensorType) => Tensor) => {
  const { infer, adjoint, onnx, reference, simplify, ...rest } = spec;
  const own = (attributes: Attributes) => attributes as A;
  const op: Op = {
    ...rest,
    infer: (parts, attributes) => [infer(parts, own(attributes))],
    jvp: ({ inputs, attributes }, tangent, i) => [
      applyOne(
        op,
        inputs.map((x, k) => (k === i ? tangent : zero(x.type))),
        attributes,
      ),
    ],
    vjp: ({ inputs, attributes }, [ct], i) => (ct ? adjoint(ct, i, inputs, own(attributes)) : null),
    onnx: (graph, { attributes }, names) => [onnx(graph, names, own(attributes))],
    reference: (parts, attributes, types) => [reference(parts, own(attributes), nth(types, 0))],
    ...(simplify && { simplify: (parts, attributes) => simplify(parts, own(attributes)) }),
  };
  return Object.assign((parts: readonly Tensor[], attributes: A): Tensor => applyOne(op, parts, attributes), { op });
};
