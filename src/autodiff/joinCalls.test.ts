import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { float, gaussian, referenceValues } from "../../tests/engine.js";
import type { Tensor } from "../graph/tensor.js";
import { ancestors } from "../graph/walk.js";
import { exp, matmul, sin, stopGradient } from "../ops/index.js";
import { checkpoint, gradients, joinable, joinCalls, jvp } from "./index.js";

const WIDTH = 3;
const weight = float("weight", WIDTH, WIDTH);
const x = (name: string, rows = 2): Tensor => float(name, rows, WIDTH);
const feeds = {
  weight: gaussian("weight", [WIDTH, WIDTH]),
  a: gaussian("a", [2, WIDTH]),
  b: gaussian("b", [3, WIDTH]),
  c: gaussian("c", [2, WIDTH]),
};

/** A network of one layer that counts its evaluations and remembers their rows. */
const network = (inner: (x: Tensor) => Tensor = (x) => sin(matmul(x, weight))) => {
  const rows: number[] = [];
  const f = joinable(({ x }: { x: Tensor }) => {
    rows.push(x.dim(0));
    return inner(x);
  });
  return { f: (x: Tensor) => f({ x }), rows };
};

/** How many products a graph has: what evaluations cost. */
const products = (y: Tensor): number => ancestors([y]).filter(({ op }) => op === matmul.op).length;

/** Losses of calls of a network, what they cost when joined, and what is special about them. */
const LOSSES: Record<string, { loss: (f: (x: Tensor) => Tensor) => Tensor; plain: number; joined: number }> = {
  "two calls side by side": {
    loss: (f) =>
      f(x("a"))
        .sum()
        .add(f(x("b", 3)).sum()),
    plain: 2,
    joined: 1,
  },
  "one behind another": { loss: (f) => f(f(x("a"))).sum(), plain: 2, joined: 2 },
  "two chains": {
    loss: (f) =>
      f(f(x("a")))
        .sum()
        .add(f(f(x("b", 3))).sum()),
    plain: 4,
    joined: 2,
  },
  "a chain beside a call": {
    loss: (f) =>
      f(f(x("a")))
        .sum()
        .add(f(x("b", 3)).sum()),
    plain: 3,
    joined: 2,
  },
  "a frozen call beside two trained ones": {
    loss: (f) =>
      f(x("a"))
        .sub(stopGradient(f(x("c"))))
        .square()
        .sum()
        .add(f(x("b", 3)).sum()),
    plain: 3,
    joined: 2,
  },
  "the same call, trained and frozen": {
    loss: (f) => {
      const a = x("a");
      return f(a)
        .sub(stopGradient(f(a)).mul(2))
        .square()
        .sum();
    },
    plain: 2,
    joined: 1,
  },
  "a call through which a derivative is taken, beside one": {
    loss: (f) => {
      const [y, dy] = jvp(f, [x("a")], [x("c")]);
      return y
        .mul(dy)
        .sum()
        .add(f(x("c")).sum());
    },
    plain: 3, // the derivative of a product is one
    joined: 3,
  },
  "a target that is made of another call": {
    loss: (f) => {
      const target = stopGradient(f(f(x("c")).add(x("a"))));
      return f(x("a"))
        .sub(target)
        .square()
        .sum()
        .add(f(x("b", 3)).mean());
    },
    plain: 4,
    joined: 3,
  },
};

describe.each(Object.entries(LOSSES))("%s", (_, { loss, plain, joined }) => {
  const written = loss(network().f);
  const [together] = joinCalls(loss(network().f)) as [Tensor];

  test("costs as many evaluations as can be", () => {
    expect(products(written)).toBe(plain);
    expect(products(together)).toBe(joined);
  });

  test("has the same value and gradient", () => {
    const [value, slope] = [written, together].map((y) => referenceValues([y, ...gradients(y, [weight])], feeds)) as [
      Float64Array[],
      Float64Array[],
    ];
    value.forEach((wanted, k) => {
      for (const [i, number] of wanted.entries()) expect(slope[k]![i]).toBeCloseTo(number, 10);
    });
  });
});

test("what gradients follow and what they do not is evaluated apart", () => {
  const { f, rows } = network();
  const frozen = stopGradient(
    f(x("a"))
      .sum()
      .add(f(x("b", 3)).sum()),
  );
  const loss = f(x("b", 3))
    .sum()
    .add(f(x("a")).mul(2).sum())
    .add(frozen);
  rows.length = 0;
  joinCalls(loss);
  expect(rows).toEqual([5, 5]);
});

test("functions are not mixed, nor inputs of different shapes", () => {
  const [f, g] = [network(), network()];
  const [loss] = joinCalls(
    f
      .f(x("a"))
      .sum()
      .add(g.f(x("a")).sum()),
  ) as [Tensor];
  expect(products(loss)).toBe(2);
  const h = joinable(({ x }: { x: Tensor }) => exp(x));
  const apart = joinCalls(
    h({ x: float("a", 2, 3) })
      .sum()
      .add(h({ x: float("wide", 2, 4) }).sum()),
  ) as [Tensor];
  expect(ancestors(apart).filter(({ op }) => op === exp.op)).toHaveLength(2);
});

test("other outputs keep up with the loss", () => {
  const { f } = network();
  const [a, b] = [f(x("a")), f(x("b", 3))];
  const outputs = joinCalls(a.sum().add(b.sum()), [a, b, a.mean()]);
  const [, gotA, gotB, gotMean] = referenceValues(outputs, feeds);
  const [wantedA, wantedB, wantedMean] = referenceValues([a, b, a.mean()], feeds);
  expect([gotA, gotB, gotMean]).toEqual([wantedA, wantedB, wantedMean]);
});

test("parts that are computed again for their gradient stay so", () => {
  const { f } = network((x) => checkpoint((y) => sin(matmul(y, weight)), x));
  const written = f(x("a"))
    .sum()
    .add(f(x("b", 3)).sum())
    .add(f(f(x("c"))).sum());
  const [joined] = joinCalls(written) as [Tensor];
  const [got, wanted] = [joined, written].map((y) => referenceValues(gradients(y, [weight]), feeds)[0]!);
  for (const [i, value] of wanted!.entries()) expect(got![i]).toBeCloseTo(value, 10);
});

test("any graph of calls has the same value and gradient when joined", () => {
  type Plan = readonly (readonly [from: number, frozen: boolean, twice: boolean])[];
  const build = (plan: Plan, f: (x: Tensor) => Tensor): Tensor => {
    const made: Tensor[] = [x("a"), x("c")];
    for (const [from, frozen, twice] of plan) {
      const y = f(made[from % made.length]!);
      const z = twice ? y.add(f(made[from % made.length]!)) : y;
      made.push(frozen ? stopGradient(z) : z);
    }
    return made.map((y) => y.square().mean()).reduce((a, b) => a.add(b));
  };
  const step = fc.tuple(fc.nat({ max: 9 }), fc.boolean(), fc.boolean());
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 7 }), (plan) => {
      const written = build(plan, network().f);
      const [joined] = joinCalls(build(plan, network().f)) as [Tensor];
      expect(products(joined)).toBeLessThanOrEqual(products(written));
      const [got, wanted] = [joined, written].map((y) => referenceValues([y, ...gradients(y, [weight])], feeds));
      wanted!.forEach((values, k) => {
        for (const [i, value] of values.entries()) expect(got![k]![i]).toBeCloseTo(value, 8);
      });
    }),
    { numRuns: 60 },
  );
});
