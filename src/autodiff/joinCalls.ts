import { Node, nodeCount, type Tensor } from "../graph/tensor.js";
import { ancestors } from "../graph/walk.js";
import { alias, concat, split, stopGradient } from "../ops/index.js";

type Inputs = Readonly<Record<string, Tensor>>;

/** One evaluation of a row-wise function in a graph. Its own nodes have ids from `start` up to that of `y`. */
type Call = {
  readonly f: (inputs: Inputs) => Tensor;
  readonly inputs: Inputs;
  readonly y: Tensor;
  readonly start: number;
};

const calls = new WeakMap<Tensor, Call>();

/**
 * f, whose evaluations `joinCalls` may evaluate together: row i of the result must depend on row i of every input alone,
 * as with a network on a batch, and f must be pure.
 */
export const joinable =
  <I extends Inputs>(f: (inputs: I) => Tensor): ((inputs: I) => Tensor) =>
  (inputs) => {
    const start = nodeCount();
    const y = alias(f(inputs));
    calls.set(y, { f: f as Call["f"], inputs, y, start });
    return y;
  };

const isOwn = ({ start, y }: Call, { id, inputs }: Node): boolean =>
  id >= start && id <= y.node.id && inputs.length > 0; // weights belong to all calls, whichever made them

/** Calls of which only the result is read from outside; a derivative taken through a call reads what is inside it. */
const closed = (nodes: readonly Node[], found: readonly Call[]): Call[] =>
  found.filter((call) =>
    nodes.every(
      (node) => isOwn(call, node) || node.inputs.every((x) => x.node === call.y.node || !isOwn(call, x.node)),
    ),
  );

/** Nodes between which and the loss no `stopGradient` stands. */
const followedFrom = (loss: Tensor): ReadonlySet<Node> => {
  const seen = new Set<Node>();
  const stack = [loss.node];
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node) || node.op === stopGradient.op) continue;
    seen.add(node);
    stack.push(...node.inputs.map((x) => x.node));
  }
  return seen;
};

/** For every node, how many of the calls lie one behind another up to it. */
const depthsOf = (nodes: readonly Node[], found: readonly Call[]): ReadonlyMap<Node, number> => {
  const results = new Set(found.map(({ y }) => y.node));
  const depths = new Map<Node, number>();
  for (const node of nodes) {
    const before = node.inputs.map((x) => depths.get(x.node) ?? 0);
    depths.set(node, Math.max(0, ...before) + Number(results.has(node)));
  }
  return depths;
};

const groupedBy = <T>(items: readonly T[], same: (a: T, b: T) => boolean): T[][] => {
  const groups: [T, ...T[]][] = [];
  for (const item of items) {
    const group = groups.find(([first]) => same(first, item));
    if (group) group.push(item);
    else groups.push([item]);
  }
  return groups;
};

const namesOf = (inputs: Inputs): string[] => Object.keys(inputs).sort();

/** Equal calls: the same function of the same tensors. */
const areEqual = (a: Call, b: Call): boolean =>
  a.f === b.f && namesOf({ ...a.inputs, ...b.inputs }).every((name) => a.inputs[name] === b.inputs[name]);

const rowTypes = (inputs: Inputs): string =>
  namesOf(inputs)
    .map((name) => `${name} ${inputs[name]?.dtype} ${inputs[name]?.shape.slice(1)}`)
    .join();

/** What calls must have in common to be evaluated together; of equal calls the first stands for all. */
type Distinct = {
  readonly calls: readonly Call[];
  readonly call: Call;
  readonly followed: boolean;
  readonly depth: number;
};

const fitTogether = (a: Distinct, b: Distinct): boolean =>
  a.call.f === b.call.f &&
  a.followed === b.followed &&
  a.depth === b.depth &&
  rowTypes(a.call.inputs) === rowTypes(b.call.inputs);

const distinctCalls = (nodes: readonly Node[], loss: Tensor): Distinct[] => {
  const found = closed(
    nodes,
    nodes.flatMap(({ outputs }) => outputs.flatMap((y) => calls.get(y) ?? [])),
  );
  const [followed, depths] = [followedFrom(loss), depthsOf(nodes, found)];
  return groupedBy(found, areEqual).flatMap((equal) =>
    equal.slice(0, 1).map((call) => ({
      calls: equal,
      call,
      followed: equal.some(({ y }) => followed.has(y.node)),
      depth: depths.get(call.y.node) ?? 0,
    })),
  );
};

/** A graph rebuilt from its leaves on: what has become of each tensor. */
class Rebuilt {
  private readonly known = new Map<Tensor, Tensor>();

  replace(x: Tensor, y: Tensor): void {
    this.known.set(x, y);
  }

  /** A tensor as it now is. What has been replaced is not gone behind. */
  now(x: Tensor): Tensor {
    for (const node of ancestors([x], [...this.known.keys()])) this.settle(node);
    return this.known.get(x) ?? x;
  }

  private settle(node: Node): void {
    if (node.outputs.every((y) => this.known.has(y))) return;
    const inputs = node.inputs.map((x) => this.known.get(x) ?? x);
    const same = inputs.every((x, i) => x === node.inputs[i]);
    const types = node.outputs.map(({ type }) => type);
    const { outputs } = same ? node : new Node(node.op, inputs, node.attributes, types);
    for (const [i, y] of node.outputs.entries()) if (!this.known.has(y)) this.known.set(y, outputs[i] ?? y);
  }
}

/** The results of calls of one function, from one evaluation on their joined rows. */
const evaluateTogether = (f: Call["f"], all: readonly Inputs[], sizes: readonly number[]): readonly Tensor[] => {
  const column = (name: string): Tensor[] => all.flatMap((inputs) => inputs[name] ?? []);
  const names = namesOf(Object.assign({}, ...all));
  const joined = Object.fromEntries(names.map((name) => [name, concat(column(name), { axis: 0 })]));
  return split(f(joined), { axis: 0, sizes });
};

/**
 * The same scalars from fewer and larger evaluations. A loss calls its network wherever its paper does; this evaluates
 * equal calls (of one function made by `joinable`) once, and calls that do not depend on one another together, on their
 * joined rows. Those that gradients follow stay apart from those that they do not, so that reverse mode goes back
 * through the former alone, and calls through which a derivative was taken stay as they are.
 */
export const joinCalls = (loss: Tensor, others: readonly Tensor[] = []): Tensor[] => {
  const outputs = [loss, ...others];
  const rebuilt = new Rebuilt();
  const distinct = distinctCalls(ancestors(outputs), loss).sort((a, b) => a.depth - b.depth);
  for (const group of groupedBy(distinct, fitTogether)) {
    const now = ({ call }: Distinct): Inputs =>
      Object.fromEntries(Object.entries(call.inputs).map(([name, x]) => [name, rebuilt.now(x)]));
    const sizes = group.map(({ call }) => call.y.dim(0));
    const results =
      group.length > 1
        ? evaluateTogether(group[0]!.call.f, group.map(now), sizes)
        : group.map(({ call }) => rebuilt.now(call.y));
    for (const [i, { calls: equal }] of group.entries()) for (const { y } of equal) rebuilt.replace(y, results[i] ?? y);
  }
  return outputs.map((y) => rebuilt.now(y));
};
