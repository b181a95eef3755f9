import type { OnnxModel, OnnxNode } from "./model.js";

/**
 * Names of the operations that a GPU of the web may compute too loosely, and of all that lead to them: a handful of numbers of
 * the times, which a CPU computes as fast.
 */
export const looseOnGpu = ({ nodes }: Pick<OnnxModel, "nodes">): readonly string[] => {
  const maker = new Map(nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  const found = new Set<OnnxNode>();
  const visit = (node: OnnxNode | undefined): void => {
    if (!node || found.has(node)) return;
    found.add(node);
    for (const input of node.inputs) visit(maker.get(input));
  };
  for (const node of nodes) if (node.looseOnGpu) visit(node);
  return nodes.filter((node) => found.has(node)).map(({ name }) => name);
};
