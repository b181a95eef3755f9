import { isFloat } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";
import { check, defineOp, type OpFunction, show } from "./define.js";
import { mul } from "./mul.js";

const scale = (x: Tensor, g: Tensor, exponent: number): Tensor =>
  mul(g, mul(pow(x, { exponent: exponent - 1 }), exponent)); // d xᵉ = e xᵉ⁻¹ dx

/** y = xᵉ for a fixed exponent e, x > 0 */
export const pow: OpFunction<readonly ["x"], { exponent: number }> = defineOp({
  name: "pow",
  inputs: ["x"],
  infer: ({ x }, { exponent }) => {
    check(isFloat(x.dtype), `x must be a float tensor, got ${show(x)}`);
    check(Number.isFinite(exponent), `the exponent is ${exponent}; it must be finite`);
    return x;
  },
  wrt: {
    x: {
      jvp: ({ x }, dx, { attributes }) => scale(x, dx, attributes.exponent),
      vjp: ({ x }, ct, { attributes }) => scale(x, ct, attributes.exponent),
    },
  },
  onnx: (graph, { x }, { exponent }, node) => graph.node("Pow", [x, graph.scalar(exponent, node.outputs[0]!.dtype)]),
  reference: ({ x }, { exponent }) => ({ shape: x.shape, data: x.data.map((value) => value ** exponent) }),
  simplify: ({ x }, { exponent }) => (exponent === 1 ? x : null),
  examples: [
    { inputs: [{ shape: [2, 3], range: [0.5, 2] }], attributes: { exponent: -0.5 } },
    { inputs: [{ shape: [4], range: [0.5, 2] }], attributes: { exponent: 3 } },
    { inputs: [{ shape: [], range: [0.5, 2] }], attributes: { exponent: 0 } },
  ],
  rejects: [
    { inputs: [[2]], attributes: { exponent: Number.NaN }, message: /exponent is NaN; it must be finite/ },
    { inputs: [{ shape: [2], dtype: "int64" }], attributes: { exponent: 2 }, message: /x must be a float tensor/ },
  ],
});
