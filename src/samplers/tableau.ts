import { zip } from "../graph/lists.js";
import { density, dot, nodesOf, rootedTrees, stageProducts } from "./trees.js";

/**
 * An explicit Runge–Kutta method: k_i = f(x + h Σ_j a_ij k_j, t + c_i h), x ← x + h Σ_i b_i k_i. Row i of `a` has the
 * i entries left of the diagonal. `embedded` are weights b̂ of the next lower order; b − b̂ estimates the error.
 */
export type Tableau = {
  readonly name: string;
  /** The error after a fixed time falls as h^order. */
  readonly order: number;
  readonly a: readonly (readonly number[])[];
  readonly b: readonly number[];
  readonly c: readonly number[];
  readonly embedded?: readonly number[];
};

const near = (value: number, wanted: number): boolean => Math.abs(value - wanted) < 1e-12;
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const checkStages = ({ a, b, c, embedded = b }: Tableau): string | undefined => {
  const sizes = [a, b, c, embedded].map((part) => part.length);
  if (new Set(sizes).size > 1) return `a, b, c and embedded have ${sizes.join(", ")} stages; they must have as many`;
  for (const [i, [row, node]] of zip(a, c).entries()) {
    const j = row.findIndex((value, j) => j >= i && value !== 0);
    if (j >= 0) return `a[${i}][${j}] is ${row[j]}; an explicit method has zeros on and above the diagonal`;
    if (!near(node, sum(row))) return `c[${i}] is ${node}, but row ${i} of a sums to ${sum(row)}`;
  }
  return undefined;
};

/** Σb = 1, and Σ_i b_i Φ_i(τ) = 1/γ(τ) for every rooted tree τ of up to `order` nodes (Butcher). */
const checkWeights = (a: Tableau["a"], b: readonly number[], name: string, order: number): string | undefined => {
  if (!near(sum(b), 1)) return `${name} sums to ${sum(b)}; it must sum to 1`;
  for (const tree of rootedTrees(order)) {
    const [found, wanted] = [dot(b, stageProducts(a, tree)), 1 / density(tree)];
    if (!near(found, wanted))
      return `${name} is below order ${order}: a condition of order ${nodesOf(tree)} gives ${found}, not ${wanted}`;
  }
  return undefined;
};

/** A tableau that has been checked: its shape, Σb = 1, c_i = Σ_j a_ij, and all conditions of its order. Throws if one fails. */
export const tableau = <T extends Tableau>(given: T): T => {
  const { name, order, a, b, embedded } = given;
  const wrong =
    checkStages(given) ??
    checkWeights(a, b, "b", order) ??
    (embedded && checkWeights(a, embedded, "embedded", order - 1));
  if (wrong !== undefined) throw new Error(`tableau ${name}: ${wrong}`);
  return given;
};

export const EULER = tableau({ name: "euler", order: 1, a: [[]], b: [1], c: [0] });

export const MIDPOINT = tableau({ name: "midpoint", order: 2, a: [[], [1 / 2]], b: [0, 1], c: [0, 1 / 2] });

/** The trapezoid rule, predicted by Euler. */
export const HEUN = tableau({ name: "heun", order: 2, a: [[], [1]], b: [1 / 2, 1 / 2], c: [0, 1] });

/** The classical method of Kutta. */
export const RK4 = tableau({
  name: "rk4",
  order: 4,
  a: [[], [1 / 2], [0, 1 / 2], [0, 0, 1]],
  b: [1 / 6, 1 / 3, 1 / 3, 1 / 6],
  c: [0, 1 / 2, 1 / 2, 1],
});

const FIFTH = [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84];

/** Dormand and Prince 1980, orders 5 and 4. */
export const DORMAND_PRINCE = tableau({
  name: "dopri5",
  order: 5,
  a: [
    [],
    [1 / 5],
    [3 / 40, 9 / 40],
    [44 / 45, -56 / 15, 32 / 9],
    [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
    [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
    FIFTH,
  ],
  b: [...FIFTH, 0],
  c: [0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1],
  embedded: [5179 / 57600, 0, 7571 / 16695, 393 / 640, -92097 / 339200, 187 / 2100, 1 / 40],
});
