import { add } from "./add.js";
import { unary } from "./elementwise.js";
import { mul } from "./mul.js";
import { sigmoid } from "./sigmoid.js";
import { square } from "./square.js";
import { sub } from "./sub.js";

const K0 = 2 * Math.sqrt(2 / Math.PI);
const K1 = K0 * 0.044715;

/**
 * y = x σ(z) with z = k₀ x + k₁ x³, which is the tanh form of GELU: ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))).
 * Hendrycks & Gimpel 2016; `approximate="tanh"` in PyTorch.
 */
export const gelu = unary({
  name: "gelu",
  value: (x) => x / (1 + Math.exp(-x * (K0 + K1 * x * x))),
  derivative: (g, { x }) => {
    const slope = add(mul(square(x), K1), K0); //  z / x
    const s = sigmoid(mul(x, slope));
    const dz = sub(mul(slope, 3), 2 * K0); //      z′ = k₀ + 3 k₁ x²
    return mul(g, mul(s, add(mul(mul(x, sub(1, s)), dz), 1))); // y′ = σ (1 + x (1 − σ) z′)
  },
  onnx: (graph, { x }, { shape }) =>
    shape.length > 0 && !graph.standard
      ? graph.node("FastGelu", [x], { domain: "com.microsoft" })
      : graph.node("Gelu", [x], { attributes: { approximate: "tanh" } }), // FastGelu refuses scalars
});
