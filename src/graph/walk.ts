import type { Node, Tensor } from "./tensor.js";

/** Every node that `outputs` depend on, in topological order; what `leaves` depend on is left out. */
export const ancestors = (outputs: readonly Tensor[], leaves: readonly Tensor[] = []): Node[] => {
  const ends = new Set(leaves.map((t) => t.node));
  const seen = new Set<Node>();
  const stack = outputs.map((t) => t.node);
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    if (!ends.has(node)) for (const input of node.inputs) stack.push(input.node);
  }
  return [...seen].sort((a, b) => a.id - b.id);
};

/** The nodes among `nodes` (in topological order) that depend on any of `sources`, the sources' own nodes excluded. */
export const dependents = (nodes: readonly Node[], sources: readonly Tensor[]): Set<Node> => {
  const from = new Set(sources);
  const found = new Set<Node>();
  for (const node of nodes) if (node.inputs.some((t) => from.has(t) || found.has(t.node))) found.add(node);
  return found;
};
