import { isFloat } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";
import { check, defineOp, type OpFunction } from "./define.js";
import { example, reject } from "./examples.js";
import { mul } from "./mul.js";

const scale = (x: Tensor, g: Tensor, exponent: number): Tensor =>
  mul(g, mul(pow(x, { exponent: exponent - 1 }), exponent)); // d xᵉ = e xᵉ⁻¹ dx

const range = [0.5, 2] as const;

/** y = xᵉ for a fixed exponent e, x > 0 */
export const pow: OpFunction<readonly ["x"], { exponent: number }> = defineOp({
  name: "pow",
  inputs: ["x"],
  infer: ({ x }, { exponent }) => {
    check(isFloat(x.dtype), "x must be a float tensor");
    check(Number.isFinite(exponent), `the exponent is ${exponent}; it must be finite`);
    return x;
  },
  wrt: {
    x: {
      jvp: ({ x }, dx, { attributes }) => scale(x, dx, attributes.exponent),
      vjp: ({ x }, ct, { attributes }) => scale(x, ct, attributes.exponent),
    },
  },
  onnx: (graph, { x }, { exponent }, { y }) => graph.node("Pow", [x, graph.scalar(exponent, y.dtype)]),
  reference: ({ x }, { exponent }) => ({ shape: x.shape, data: x.data.map((value) => value ** exponent) }),
  simplify: ({ x }, { exponent }) => (exponent === 1 ? x : null),
  examples: [
    example("[2 3]", { exponent: -0.5 }, { range }),
    example("[4]", { exponent: 3 }, { range }),
    example("[]", { exponent: 0 }, { range }),
  ],
  rejects: [
    reject("[2]", /exponent is NaN; it must be finite/, { exponent: Number.NaN }),
    reject("int64[2]", /x must be a float tensor: x is int64\[2\]/, { exponent: 2 }),
  ],
});
