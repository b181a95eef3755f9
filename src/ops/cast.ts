import { type DType, isFloat } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";
import { check, defineOp, type OpFunction } from "./define.js";
import { example, reject } from "./examples.js";

/** Element types as ONNX numbers them (TensorProto.DataType). */
export const onnxType: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
};

const back = (ct: Tensor, x: Tensor): Tensor | null =>
  isFloat(x.dtype) && isFloat(ct.dtype) ? cast(ct, { to: x.dtype }) : null;

/** The same values in another element type. Floats become integers by truncation, bool by x ≠ 0. */
export const cast: OpFunction<readonly ["x"], { to: DType }> = defineOp({
  name: "cast",
  inputs: ["x"],
  infer: ({ x }, { to }) => {
    check(to in onnxType, `there is no element type ${to}`);
    return { dtype: to, shape: x.shape };
  },
  wrt: {
    x: {
      jvp: (_, dx, { attributes: { to } }) => (isFloat(to) ? cast(dx, { to }) : null),
      vjp: ({ x }, ct) => back(ct, x),
    },
  },
  onnx: (graph, { x }, { to }) => graph.node("Cast", [x], { attributes: { to: onnxType[to] } }),
  reference: ({ x }, { to }) => ({
    shape: x.shape,
    data: isFloat(to) ? x.data : x.data.map(to === "bool" ? (value) => Number(value !== 0) : Math.trunc),
  }),
  simplify: ({ x }, { to }) => (x.dtype === to ? x : null),
  examples: [
    example("[2 3]", { to: "float64" }),
    example("int64[3]", { to: "float32" }, { below: 9 }),
    example("[3]", { to: "int64" }, { range: [1.1, 5.9] }),
  ],
  rejects: [reject("[2]", /there is no element type float8: x is float32\[2\]/, { to: "float8" })],
});
