import type { Tensor } from "../graph/tensor.js";
import { check, defineOp, type OpFunction } from "./define.js";
import { example, reject } from "./examples.js";
import { broadcastShapes, mapBroadcast } from "./ndarray.js";
import { zerosLike } from "./zeros.js";

const onlyA = (condition: Tensor, g: Tensor): Tensor => where(condition, g, zerosLike(g));
const onlyB = (condition: Tensor, g: Tensor): Tensor => where(condition, zerosLike(g), g);

/** y = condition ? a : b, element by element, broadcasting */
export const where: OpFunction<readonly ["condition", "a", "b"]> = defineOp({
  name: "where",
  inputs: ["condition", "a", "b"],
  elementwise: true,
  infer: ({ condition, a, b }) => {
    check(condition.dtype === "bool", "condition must be bool");
    check(a.dtype === b.dtype, "the element types of a and b differ");
    return { dtype: a.dtype, shape: broadcastShapes(condition.shape, a.shape, b.shape) };
  },
  wrt: {
    condition: { zero: "a bool has no tangent" },
    a: { jvp: ({ condition }, da) => onlyA(condition, da), vjp: ({ condition }, ct) => onlyA(condition, ct) },
    b: { jvp: ({ condition }, db) => onlyB(condition, db), vjp: ({ condition }, ct) => onlyB(condition, ct) },
  },
  onnx: (graph, { condition, a, b }) => graph.node("Where", [condition, a, b]),
  reference: ({ condition, a, b }, _, { shape }) => mapBroadcast(shape, [condition, a, b], (c, x, z) => (c ? x : z)),
  examples: [example("bool[2 3] [2 3] [2 3]"), example("bool[4 1] [3] []")],
  rejects: [
    reject("[2] [2] [2]", /condition must be bool: condition is float32\[2\]/),
    reject("bool[2] [2] float64[2]", /element types of a and b differ: .* a is float32\[2\].* b is float64\[2\]/),
    reject("bool[2] [3] [3]", /do not broadcast/),
  ],
});
