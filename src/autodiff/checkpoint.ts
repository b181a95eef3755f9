import { nth } from "../graph/lists.js";
import type { Op } from "../graph/op.js";
import type { Tensor } from "../graph/tensor.js";
import { ancestors } from "../graph/walk.js";
import { applyOne } from "../ops/define.js";
import { add, alias, inputName, isConstant, mul, reshape, slice } from "../ops/index.js";
import { pullback } from "./vjp.js";

type Part = (...args: Tensor[]) => Tensor;

/** x, but not before ct is there: what is made of it cannot be taken for what was made of x before. */
const after = (x: Tensor, ct: Tensor): Tensor => {
  const one = [...ct.shape.keys()].reduce((y, axis) => slice(y, { axis, start: 0, end: 1 }), ct);
  return add(x, mul(reshape(one, { shape: [] }), 0));
};

/** Cotangents of all inputs, by result and its cotangent: one recomputation serves them all. */
const pulled = new WeakMap<Tensor, WeakMap<Tensor, readonly (Tensor | null)[]>>();

const recompute = (f: Part, count: number, given: readonly Tensor[], ct: Tensor) => {
  const [y, inputs] = [nth(given, 0), given.slice(1)];
  const known = pulled.get(y)?.get(ct);
  if (known) return known;
  const again = inputs.slice(0, count).map((x) => alias(after(x, ct)));
  const cotangents = pullback([f(...again)], [ct], [...again, ...inputs.slice(count)], again);
  pulled.set(y, (pulled.get(y) ?? new WeakMap()).set(ct, cotangents));
  return cotangents;
};

const firstOf = <T extends NonNullable<unknown>>(inputs: readonly T[]): readonly T[] => [nth(inputs, 0)];

/**
 * y = f(…), the first input, whose cotangent goes to the others instead: to the `count` arguments of
 * f and to what f reads beside them, through f computed again. The operation knows f, so that a
 * rewritten graph does too.
 */
const checkpointOp = (f: Part, count: number): Op => ({
  name: "checkpoint",
  view: true,
  infer: firstOf,
  jvp: (_, tangent, i) => [i === 0 ? tangent : null],
  vjp: ({ inputs }, [ct], i) => (i === 0 || !ct ? null : nth(recompute(f, count, inputs, ct), i - 1)),
  onnx: (_, __, inputs) => firstOf(inputs),
  reference: firstOf,
  simplify: (inputs) => nth(inputs, 0),
  examples: [],
  rejects: [],
});

/** What a part reads beside its arguments: inputs of the program. Throws for anything else, whose gradient would be lost. */
const enclosed = (y: Tensor, args: readonly Tensor[], start: number): Tensor[] => {
  const own = ancestors([y]).filter((node) => node.id > start);
  const read = new Set(own.flatMap(({ inputs }) => inputs).filter((x) => x.node.id <= start && !args.includes(x)));
  const free = [...read].filter((x) => !isConstant(x));
  const captured = free.find((x) => inputName(x) === undefined);
  if (captured) throw new Error(`checkpoint: the part reads ${captured}, which is not among its arguments`);
  const late = own.map(({ output }) => output).filter((x) => inputName(x) !== undefined);
  return [...free, ...late];
};

/**
 * f(…args), of which nothing is kept for its gradient: reverse mode computes f again from the arguments when it comes
 * to it. Memory for a chain of n parts falls from what n parts keep to n arguments and one part, for a second
 * evaluation of each (Chen et al. 2016, arXiv:1604.06174). f must be pure, and read only its arguments and inputs of the
 * program, such as weights.
 */
export const checkpoint = (f: Part, ...args: readonly Tensor[]): Tensor => {
  const start = alias(nth(args, 0)).node.id;
  const y = f(...args);
  return applyOne(checkpointOp(f, args.length), [y, ...args, ...enclosed(y, args, start)]);
};
