import { lookup, nth, renew } from "../graph/lists.js";
import { rewrite } from "../graph/rewrite.js";
import type { Node, Tensor } from "../graph/tensor.js";
import { ancestors } from "../graph/walk.js";
import { isConstant } from "../ops/constant.js";
import { input, inputName } from "../ops/index.js";
import { simplify } from "./simplify.js";

/** When a program's input becomes known: weights are `fixed`, conditions come `early`, what is worked on comes `late`. */
export type Arrival = "fixed" | "early" | "late";

/** A computation in two: `early` needs only early inputs, `late` takes the early results in their place. */
export type Cut = {
  readonly early: Readonly<Record<string, Tensor>>;
  readonly late: Readonly<Record<string, Tensor>>;
};

const ORDER: readonly Arrival[] = ["fixed", "early", "late"];

/** When each node can be computed: as soon as the last of its inputs is known. */
const arrivals = (nodes: readonly Node[], arrivalOf: (input: string) => Arrival): Map<Node, Arrival> => {
  const known = new Map<Node, Arrival>();
  for (const node of nodes) {
    const own = inputName(node.output);
    const ranks = own === undefined ? node.inputs.map((x) => ORDER.indexOf(lookup(known, x.node))) : [];
    known.set(node, own === undefined ? nth(ORDER, Math.max(0, ...ranks)) : arrivalOf(own));
  }
  return known;
};

/**
 * Cuts a computation where early results enter late work. What conditions a network (embedded times and labels, and
 * the modulations made of them) is then computed once for each condition, however many samples share it.
 */
export const cut = (outputs: Readonly<Record<string, Tensor>>, arrivalOf: (input: string) => Arrival): Cut => {
  const wanted = simplify(Object.values(outputs));
  const nodes = ancestors(wanted);
  const when = arrivals(nodes, arrivalOf);
  const isEarly = (x: Tensor): boolean => when.get(x.node) === "early" && inputName(x) === undefined && !isConstant(x);
  const entering = nodes.filter((node) => when.get(node) === "late").flatMap((node) => node.inputs.filter(isEarly));
  const frontier = [...new Set(entering)];
  const replacements = new Map(frontier.map((x, i) => [x, input(`early.${i}`, x.type)] as const));
  const late = rewrite(wanted, (x) => replacements.get(x));
  return {
    early: Object.fromEntries(frontier.map((x, i) => [`early.${i}`, x])),
    late: renew(outputs, late),
  };
};
