import { describe, expect, test } from "vitest";
import { DORMAND_PRINCE, EULER, HEUN, MIDPOINT, RK4, type Tableau, tableau } from "./tableau.js";
import { rootedTrees } from "./trees.js";

test("there are 1, 1, 2, 4, 9, 20 and 48 rooted trees of 1 to 7 nodes, all different", () => {
  const upTo = [1, 2, 3, 4, 5, 6, 7].map((n) => rootedTrees(n).length);
  expect(upTo.map((n, i) => n - (upTo[i - 1] ?? 0))).toEqual([1, 1, 2, 4, 9, 20, 48]);
  expect(new Set(rootedTrees(7).map((tree) => JSON.stringify(tree))).size).toBe(85);
});

describe.each([EULER, MIDPOINT, HEUN, RK4, DORMAND_PRINCE])("$name", (method) => {
  const quadrature = (weights: readonly number[], k: number) =>
    weights.reduce((sum, b, i) => sum + b * method.c[i]! ** k, 0);

  test("integrates powers of t below its order exactly, and not the next", () => {
    for (let k = 0; k < method.order; k++) expect(quadrature(method.b, k)).toBeCloseTo(1 / (k + 1), 12);
  });

  test("its order is not higher than it says", () => {
    expect(() => tableau({ ...method, order: method.order + 1, embedded: undefined })).toThrow(
      `tableau ${method.name}: b is below order ${method.order + 1}: `,
    );
  });
});

test("the embedded weights of Dormand–Prince are of order 4 and not of 5", () => {
  const { embedded, ...rest } = DORMAND_PRINCE;
  expect(() => tableau({ ...rest, b: embedded!, order: 4 })).not.toThrow();
  expect(() => tableau({ ...rest, b: embedded!, order: 5 })).toThrow("b is below order 5");
});

const broken: readonly [string, Partial<Tableau>, string][] = [
  ["a stage short", { c: [0] }, "a, b, c and embedded have 2, 2, 1, 2 stages; they must have as many"],
  ["implicit", { a: [[], [0.5, 0.5]] }, "a[1][1] is 0.5; an explicit method has zeros on and above the diagonal"],
  ["nodes off", { c: [0, 0.5] }, "c[1] is 0.5, but row 1 of a sums to 1"],
  ["weights off", { b: [0.5, 0.25] }, "b sums to 0.75; it must sum to 1"],
  ["embedded weights off", { embedded: [1, 1] }, "embedded sums to 2; it must sum to 1"],
  ["order too high", { b: [1, 0] }, "b is below order 2: a condition of order 2 gives 0, not 0.5"],
  ["order 3", { order: 3 }, "b is below order 3: a condition of order 3 gives 0.5, not 0.3333333333333333"],
];

test.each(broken)("a tableau with %s is refused", (_, change, message) => {
  expect(() => tableau({ ...HEUN, ...change })).toThrow(new Error(`tableau heun: ${message}`));
});
