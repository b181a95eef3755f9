import { isFloat, sameShape } from "../graph/dtype.js";
import { zip } from "../graph/lists.js";
import { Tensor } from "../graph/tensor.js";
import { ancestors, dependents } from "../graph/walk.js";
import { add, alias, broadcastTo, zerosLike } from "../ops/index.js";

/** A result with the shape of its primal: rules may leave a broadcast tangent in its small shape. */
const matchShape = (tangent: Tensor, primal: Tensor): Tensor =>
  sameShape(tangent.shape, primal.shape) ? tangent : broadcastTo(tangent, { shape: primal.shape });

/** Tangents of `outputs` when each of `primals` moves along its tangent; null where nothing moves. */
export const pushforward = (
  outputs: readonly Tensor[],
  primals: readonly Tensor[],
  tangents: readonly Tensor[],
): (Tensor | null)[] => {
  const moved = new Map<Tensor, Tensor>(zip(primals, tangents));
  const nodes = ancestors(outputs);
  const reached = dependents(nodes, primals);
  for (const node of nodes) {
    if (!reached.has(node)) continue;
    node.inputs.forEach((x, i) => {
      const tangent = moved.get(x);
      if (!tangent) return;
      for (const [y, part] of zip(node.outputs, node.op.jvp(node, tangent, i))) {
        const before = moved.get(y);
        if (part && isFloat(y.dtype)) moved.set(y, before ? add(before, matchShape(part, y)) : matchShape(part, y));
      }
    });
  }
  return outputs.map((y) => moved.get(y) ?? null);
};

type Results = Tensor | readonly Tensor[];

/**
 * Forward mode: `[y, dy] = jvp(f, [x, …], [dx, …])`, the value of f and its derivative along the tangents, exactly.
 * One evaluation gives both. Composes with `grad` and with itself.
 */
export const jvp = <R extends Results>(
  f: (...primals: Tensor[]) => R,
  primals: readonly Tensor[],
  tangents: readonly Tensor[],
): [R, R] => {
  if (primals.length !== tangents.length)
    throw new Error(`jvp: primals and tangents differ in number: ${primals.length} and ${tangents.length}`);
  const local = primals.map((x) => alias(x)); // so that only what f takes as an argument moves, not what it closes over
  for (const [i, [x, dx]] of zip(primals, tangents).entries())
    if (!sameShape(x.shape, dx.shape)) throw new Error(`jvp: tangent ${i} is ${dx}, its primal ${x}`);
  const result = f(...local);
  const outputs = result instanceof Tensor ? [result] : (result as readonly Tensor[]);
  const pushed = zip(outputs, pushforward(outputs, local, tangents)).map(([y, t]) => t ?? zerosLike(y));
  return [result, (result instanceof Tensor ? pushed[0] : pushed) as R];
};
