import { nth } from "../graph/lists.js";
import { unary } from "./elementwise.js";

/** y = −x */
export const neg = unary({
  name: "neg",
  value: (x) => -x,
  derivative: (g) => neg(g),
  onnx: "Neg",
  simplify: ({ x }) => (x.node.op === neg.op ? nth(x.node.inputs, 0) : null),
});
