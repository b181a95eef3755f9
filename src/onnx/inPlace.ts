import { sameShape, showType } from "../graph/dtype.js";
import type { Node, Tensor } from "../graph/tensor.js";
import { ancestors } from "../graph/walk.js";
import { inputName } from "../ops/index.js";

/** Every node that reads a tensor's memory, through views too. */
const readers = (nodes: readonly Node[], x: Tensor): Node[] =>
  nodes
    .filter((node) => node.inputs.includes(x))
    .flatMap((node) => [node, ...(node.op.view ? node.outputs.flatMap((y) => readers(nodes, y)) : [])]);

/**
 * Why a program may not write `output` into the memory of `input`; undefined when it may. It may when everything else
 * that reads the input has been computed by then, and the last step takes it element by element.
 */
const problemOf = (nodes: readonly Node[], output: Tensor, input: Tensor): string | undefined => {
  if (output.dtype !== input.dtype || !sameShape(output.shape, input.shape))
    return `it is ${showType(output.type)}, the input is ${showType(input.type)}`;
  const before = new Set(ancestors(output.node.inputs));
  const own = output.node.inputs.includes(input);
  if (own && !output.node.op.elementwise) return `${output.node.op.name} does not work element by element`;
  const late = readers(nodes, input).find((node) => node !== output.node && !before.has(node));
  return late && `${late.op.name} may read the input later`;
};

/** Throws unless each output may take the memory of the input that `pairs` names for it. */
export const checkInPlace = (
  program: string,
  outputs: Readonly<Record<string, Tensor>>,
  pairs: Readonly<Record<string, string>>,
): void => {
  const nodes = ancestors(Object.values(outputs));
  const inputs = new Map(nodes.map(({ output }) => [inputName(output), output] as const));
  for (const [name, from] of Object.entries(pairs)) {
    const [output, input] = [outputs[name], inputs.get(from)];
    if (!output || !input)
      throw new Error(`program ${program}: ${name} or ${from} is not one of its outputs and inputs`);
    const problem = problemOf(nodes, output, input);
    if (problem) throw new Error(`program ${program}: ${name} cannot take the place of ${from}: ${problem}`);
  }
};
