import { lookup, nth } from "./lists.js";
import { Node, type Tensor } from "./tensor.js";
import { ancestors } from "./walk.js";

/**
 * The same tensors after a rule has gone over everything they depend on, first things first. The rule is asked for each
 * tensor with its node's inputs as they now are; undefined keeps the operation. `now` tells what has become of each tensor.
 */
export const rewrite = (
  outputs: readonly Tensor[],
  rule: (y: Tensor, inputs: readonly Tensor[]) => Tensor | undefined,
  now = new Map<Tensor, Tensor>(),
): Tensor[] => {
  for (const node of ancestors(outputs)) {
    const inputs = node.inputs.map((x) => lookup(now, x));
    const same = inputs.every((x, i) => x === node.inputs[i]);
    const types = node.outputs.map((y) => y.type);
    const next = same ? node : new Node(node.op, inputs, node.attributes, types);
    for (const y of node.outputs) now.set(y, rule(y, inputs) ?? nth(next.outputs, y.index));
  }
  return outputs.map((y) => lookup(now, y));
};
