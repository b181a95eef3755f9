import type { Tensor } from "../graph/tensor.js";
import { check, defineOp, type OpFunction, show } from "./define.js";
import { broadcastShapes, mapBroadcast } from "./ndarray.js";
import { zerosLike } from "./zeros.js";

const onlyA = (condition: Tensor, g: Tensor): Tensor => where(condition, g, zerosLike(g));
const onlyB = (condition: Tensor, g: Tensor): Tensor => where(condition, zerosLike(g), g);

/** y = condition ? a : b, element by element, broadcasting */
export const where: OpFunction<readonly ["condition", "a", "b"]> = defineOp({
  name: "where",
  inputs: ["condition", "a", "b"],
  infer: ({ condition, a, b }) => {
    check(condition.dtype === "bool", `condition must be bool, got ${show(condition)}`);
    check(a.dtype === b.dtype, `the element types differ: a is ${show(a)}, b is ${show(b)}`);
    return { dtype: a.dtype, shape: broadcastShapes(condition.shape, a.shape, b.shape) };
  },
  wrt: {
    condition: { zero: "a bool has no tangent" },
    a: { jvp: ({ condition }, da) => onlyA(condition, da), vjp: ({ condition }, ct) => onlyA(condition, ct) },
    b: { jvp: ({ condition }, db) => onlyB(condition, db), vjp: ({ condition }, ct) => onlyB(condition, ct) },
  },
  onnx: (graph, { condition, a, b }) => graph.node("Where", [condition, a, b]),
  reference: ({ condition, a, b }, _, [y]) => mapBroadcast(y!.shape, [condition, a, b], (c, x, z) => (c ? x : z)),
  examples: [
    { inputs: [{ shape: [2, 3], dtype: "bool" }, [2, 3], [2, 3]] },
    { inputs: [{ shape: [4, 1], dtype: "bool" }, [3], []] },
  ],
  rejects: [
    { inputs: [[2], [2], [2]], message: /condition must be bool, got float32\[2\]/ },
    { inputs: [{ shape: [2], dtype: "bool" }, [2], { shape: [2], dtype: "float64" }], message: /element types differ/ },
    { inputs: [{ shape: [2], dtype: "bool" }, [3], [3]], message: /do not broadcast/ },
  ],
});
