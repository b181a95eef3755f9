import { isFloat, sameShape } from "../graph/dtype.js";
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
  const moved = new Map<Tensor, Tensor>(primals.map((primal, i) => [primal, tangents[i]!]));
  const nodes = ancestors(outputs);
  const reached = dependents(nodes, primals);
  for (const node of nodes) {
    if (!reached.has(node)) continue;
    node.inputs.forEach((x, i) => {
      const tangent = moved.get(x);
      if (!tangent) return;
      node.op.jvp(node, tangent, i).forEach((part, k) => {
        const y = node.outputs[k]!;
        const before = moved.get(y);
        if (part && isFloat(y.dtype)) moved.set(y, before ? add(before, matchShape(part, y)) : matchShape(part, y));
      });
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
  primals.forEach((x, i) => {
    if (!sameShape(x.shape, tangents[i]!.shape))
      throw new Error(`jvp: tangent ${i} is ${tangents[i]}, its primal ${x}`);
  });
  const result = f(...local);
  const outputs = result instanceof Tensor ? [result] : (result as readonly Tensor[]);
  const pushed = pushforward(outputs, local, tangents).map((t, i) => t ?? zerosLike(outputs[i]!));
  return [result, (result instanceof Tensor ? pushed[0] : pushed) as R];
};
