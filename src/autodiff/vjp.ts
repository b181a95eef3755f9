import { isFloat, sameShape } from "../graph/dtype.js";
import { zip } from "../graph/lists.js";
import type { Node, Tensor } from "../graph/tensor.js";
import { ancestors, dependents } from "../graph/walk.js";
import { add, alias, onesLike, sumTo, zerosLike } from "../ops/index.js";

/**
 * Cotangents of `wrt` given those of `outputs`; null where an output does not depend on it. What lies behind `leaves` is
 * not gone into.
 */
export const pullback = (
  outputs: readonly Tensor[],
  cotangents: readonly Tensor[],
  wrt: readonly Tensor[],
  leaves: readonly Tensor[] = [],
): (Tensor | null)[] => {
  const pulled = new Map<Tensor, Tensor>();
  const accumulate = (x: Tensor, ct: Tensor): void => {
    const before = pulled.get(x);
    pulled.set(x, before ? add(before, ct) : ct);
  };
  for (const [y, ct] of zip(outputs, cotangents)) accumulate(y, ct);
  const nodes = ancestors(outputs, leaves);
  const reached = dependents(nodes, wrt);
  const needed = (x: Tensor): boolean => isFloat(x.dtype) && (wrt.includes(x) || reached.has(x.node));
  for (const node of nodes.reverse()) if (reached.has(node)) pullThrough(node, pulled, needed, accumulate);
  return wrt.map((x) => pulled.get(x) ?? null);
};

const pullThrough = (
  node: Node,
  pulled: ReadonlyMap<Tensor, Tensor>,
  needed: (x: Tensor) => boolean,
  accumulate: (x: Tensor, ct: Tensor) => void,
): void => {
  const cotangents = node.outputs.map((y) => pulled.get(y) ?? null);
  if (cotangents.every((ct) => ct === null)) return;
  node.inputs.forEach((x, i) => {
    if (!needed(x)) return;
    const ct = node.op.vjp(node, cotangents, i);
    if (ct) accumulate(x, sumTo(ct, x.shape)); // broadcasting is undone here, once for all operations
  });
};

const orZeros = (wrt: readonly Tensor[], cotangents: readonly (Tensor | null)[]): Tensor[] =>
  zip(wrt, cotangents).map(([x, ct]) => ct ?? zerosLike(x));

/** Gradients of a scalar with respect to tensors it was built from; zeros where it does not depend on one. */
export const gradients = (loss: Tensor, wrt: readonly Tensor[]): Tensor[] => {
  if (loss.rank !== 0) throw new Error(`gradients: the loss is ${loss}; it must be a scalar`);
  return orZeros(wrt, pullback([loss], [onesLike(loss)], wrt));
};

/** Reverse mode: the value of f and the map from cotangents of the value to cotangents of the arguments. */
export const vjp = (
  f: (...primals: Tensor[]) => Tensor,
  primals: readonly Tensor[],
): [Tensor, (cotangent: Tensor) => Tensor[]] => {
  const local = primals.map((x) => alias(x));
  const y = f(...local);
  const pull = (ct: Tensor): Tensor[] => {
    if (!sameShape(ct.shape, y.shape)) throw new Error(`vjp: the cotangent is ${ct}, the value ${y}`);
    return orZeros(local, pullback([y], [ct], local));
  };
  return [y, pull];
};

/** The gradient of a scalar function with respect to each of its arguments: `grad(f)(x, y) = [∂f/∂x, ∂f/∂y]`. */
export const grad =
  (f: (...primals: Tensor[]) => Tensor) =>
  (...primals: Tensor[]): Tensor[] => {
    const local = primals.map((x) => alias(x));
    return gradients(f(...local), local);
  };
