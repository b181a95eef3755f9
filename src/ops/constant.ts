import { type DType, type HostArray, hostArray, type Shape, sizeOf, type TensorType } from "../graph/dtype.js";
import { nth } from "../graph/lists.js";
import type { Attributes, Op } from "../graph/op.js";
import { Tensor } from "../graph/tensor.js";
import { applyOne, check, show } from "./define.js";

/** What may stand where a tensor is wanted: a number becomes a scalar of the other operand's element type. */
export type TensorLike = Tensor | number;

type Content = { readonly data: HostArray; readonly type: TensorType };
const contentOf = (attributes: Attributes): Content => attributes as Content;

/** A tensor whose values are part of the program. */
const constantOp: Op = {
  name: "constant",
  infer: (_, attributes) => {
    const { data, type } = contentOf(attributes);
    check(data.length === sizeOf(type.shape), `${data.length} values do not fill ${show(type)}`);
    return [type];
  },
  jvp: () => [null],
  vjp: () => null,
  onnx: (graph, { attributes }) => {
    const { data, type } = contentOf(attributes);
    return [graph.constant(data, type)];
  },
  reference: (_, attributes) => {
    const { data, type } = contentOf(attributes);
    return [{ shape: type.shape, data: Float64Array.from(data, Number) }];
  },
  examples: [
    { inputs: [], attributes: { data: Float32Array.of(1, 2, 3, 4, 5, 6), type: { dtype: "float32", shape: [2, 3] } } },
  ],
  rejects: [
    {
      inputs: [],
      attributes: { data: Float32Array.of(1), type: { dtype: "float32", shape: [2] } },
      message: /1 values do not fill float32\[2\]/,
    },
  ],
};

/** A constant from a host array. The array must not change afterwards. */
export const constantOf = (data: HostArray, type: TensorType): Tensor => applyOne(constantOp, [], { data, type });

/** A host array of these values. */
export const hostArrayOf = (values: ArrayLike<number>, dtype: DType): HostArray => {
  const data = hostArray(dtype, [values.length]);
  if (data instanceof BigInt64Array) for (let i = 0; i < data.length; i++) data[i] = BigInt(nth(values, i));
  else data.set(values);
  return data;
};

/** A constant from numbers: `constant([1, 2, 3], [3])`. */
export const constant = (values: ArrayLike<number>, shape: Shape, dtype: DType = "float32"): Tensor =>
  constantOf(hostArrayOf(values, dtype), { dtype, shape });

export const scalar = (value: number, dtype: DType = "float32"): Tensor => constant([value], [], dtype);

/** Whether a tensor is a constant of the program. */
export const isConstant = (x: Tensor): boolean => x.node.op === constantOp;

/** The value of a constant (or of a repeated one) whose elements are all equal; undefined for any other tensor. */
export const uniformValue = (x: Tensor): number | undefined => {
  if (x.node.op.repeats) return uniformValue(nth(x.node.inputs, 0));
  if (!isConstant(x)) return undefined;
  const data = constantData(x);
  const first = Number(data[0]);
  for (const value of data) if (Number(value) !== first) return undefined;
  return first;
};

/** Host values of a constant. */
export const constantData = (x: Tensor): HostArray => contentOf(x.node.attributes).data;

/** Makes tensors of two operands; a number takes the other's element type. */
export const lift = (a: TensorLike, b: TensorLike): [Tensor, Tensor] => {
  if (a instanceof Tensor) return [a, b instanceof Tensor ? b : scalar(b, a.dtype)];
  if (b instanceof Tensor) return [scalar(a, b.dtype), b];
  return [scalar(a), scalar(b)];
};
