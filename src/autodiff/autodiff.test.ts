import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  distance,
  type Feeds,
  float,
  gaussian,
  referenceOf,
  referenceValues,
  testRuntime,
} from "../../tests/engine.js";
import type { Tensor } from "../graph/tensor.js";
import {
  add,
  concat,
  constant,
  exp,
  gather,
  gelu,
  layerNorm,
  log,
  matmul,
  mul,
  silu,
  sin,
  slice,
  softmax,
  split,
  tanh,
  where,
} from "../ops/index.js";
import { grad, gradients, jvp, pullback, pushforward, stopGradient, vjp } from "./index.js";

type Function2 = (x: Tensor, w: Tensor) => Tensor;

/** x [3 4], w [4 4] → scalar */
const COMPOSITES: Readonly<Record<string, Function2>> = {
  "a layer: norm, product, GELU, softmax, gather": (x, w) => {
    const hidden = gelu(matmul(layerNorm(x, { epsilon: 1e-6 }), w));
    const rows = gather(softmax(hidden), constant([2, 0, 2, 1], [4], "int64"));
    return rows.square().mul(gelu(rows)).sum();
  },
  "attention: split, scaled product, softmax": (x, w) => {
    const [q, k] = split(matmul(x, w), { axis: 1, sizes: [2, 2] });
    return matmul(softmax(matmul(q!, k!, { transposeB: true, alpha: 0.7 })), x)
      .square()
      .mean();
  },
  "broadcasting, slices, concat and where": (x, w) => {
    const row = w.mean([0]); // [1 4]
    const scaled = x.mul(row).add(w.sum([1]).reshape([4]));
    const joined = concat([slice(scaled, { axis: 1, start: 1, end: 3 }), sin(x)], { axis: 1 });
    const chosen = where(constant([1, 0, 1, 1, 0, 1], [1, 6], "bool"), tanh(joined), silu(joined));
    return log(exp(chosen).sum()).add(chosen.transpose([1, 0]).square().mean());
  },
};

const SHAPES = { x: [3, 4], w: [4, 4] } as const;
const NAMES = ["x", "w", "dx", "dw", "ex", "ew"];
const feeds: Feeds = Object.fromEntries(
  NAMES.map((name) => [name, gaussian(name, SHAPES[name.at(-1) as keyof typeof SHAPES])]),
);
const inputs = () => NAMES.map((name) => float(name, ...SHAPES[name.at(-1) as keyof typeof SHAPES])) as Six;
type Six = [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];

/** feeds with x and w moved by `step` along dx and dw. */
const moved = (step: number): Feeds => ({
  ...feeds,
  x: Float64Array.from(feeds.x!, (value, i) => value + step * feeds.dx![i]!),
  w: Float64Array.from(feeds.w!, (value, i) => value + step * feeds.dw![i]!),
});

/** d/dh of y at (x, w) + h (dx, dw), in float64. */
const centralDifference = (y: Tensor, h = 1e-5): Float64Array => {
  const [plus, minus] = [referenceOf(y, moved(h)), referenceOf(y, moved(-h))];
  return plus.map((value, i) => (value - minus[i]!) / (2 * h));
};

const inner = (us: readonly Tensor[], vs: readonly Tensor[]): Tensor =>
  us.map((u, i) => u.mul(vs[i]!).sum()).reduce((a, b) => add(a, b));

describe.each(Object.entries(COMPOSITES))("%s", (_, f) => {
  test("jvp and grad agree with the central difference", () => {
    const [x, w, dx, dw] = inputs();
    const [, forward] = jvp(f, [x, w], [dx, dw]);
    const reverse = inner(grad(f)(x, w), [dx, dw]);
    const wanted = centralDifference(f(x, w));
    const [got, pulled] = referenceValues([forward, reverse], feeds);
    expect(Math.abs(wanted[0]!)).toBeGreaterThan(1e-3); // a zero would agree with anything
    expect(distance(got!, wanted)).toBeLessThan(1e-6);
    expect(distance(pulled!, wanted)).toBeLessThan(1e-6);
  });

  test("the four ways to the second derivative agree with the central difference of the first", () => {
    const [x, w, dx, dw, ex, ew] = inputs();
    const slope = (a: Tensor, b: Tensor) => jvp(f, [a, b], [ex, ew])[1]; // ⟨∇f, e⟩, forward
    const pulledSlope = (a: Tensor, b: Tensor) => inner(grad(f)(a, b), [ex, ew]); // the same, reverse
    const ways = {
      jvpOfJvp: jvp(slope, [x, w], [dx, dw])[1],
      gradOfJvp: inner(grad(slope)(x, w), [dx, dw]),
      jvpOfGrad: jvp(pulledSlope, [x, w], [dx, dw])[1],
      gradOfGrad: inner(grad(pulledSlope)(x, w), [dx, dw]),
    };
    const wanted = centralDifference(slope(x, w));
    expect(Math.abs(wanted[0]!)).toBeGreaterThan(1e-3);
    for (const [name, way] of Object.entries(ways))
      expect(distance(referenceOf(way, feeds), wanted), name).toBeLessThan(1e-6);
  });
});

const run = testRuntime();

test("the third derivative of a polynomial is exact, in all eight mixtures of the modes", async () => {
  type Scalar = (x: Tensor) => Tensor;
  const forward =
    (f: Scalar): Scalar =>
    (x) =>
      jvp(f, [x], [constant([1], [])])[1];
  const reverse =
    (f: Scalar): Scalar =>
    (x) =>
      grad(f)(x)[0]!;
  const quartic: Scalar = (x) => x.square().square(); // x⁗′ = 24 x
  const x = float("x");
  const modes = [forward, reverse];
  const all = modes.flatMap((a) => modes.flatMap((b) => modes.map((c) => a(b(c(quartic)))(x))));
  const results = await run(Object.fromEntries(all.map((y, i) => [`y${i}`, y])), { x: [0.5] });
  expect(Object.values(results)).toEqual(all.map(() => [12]));
});

test("the tangent is linear in the direction", () => {
  const f = COMPOSITES["attention: split, scaled product, softmax"]!;
  const [x, w, dx, dw, ex, ew] = inputs();
  const [a, b] = [float("a"), float("b")];
  const along = (p: Tensor, q: Tensor) => jvp(f, [x, w], [p, q])[1];
  const joint = along(dx.mul(a).add(ex.mul(b)), dw.mul(a).add(ew.mul(b)));
  const apart = along(dx, dw).mul(a).add(along(ex, ew).mul(b));
  const number = fc.double({ min: -3, max: 3, noNaN: true });
  fc.assert(
    fc.property(number, number, (p, q) => {
      const [left, right] = referenceValues([joint, apart], { ...feeds, a: [p], b: [q] });
      expect(distance(left!, right!)).toBeLessThan(1e-12);
    }),
    { numRuns: 20 },
  );
});

test("stopGradient blocks both modes and changes no value", async () => {
  const x = float("x", 2);
  const f = (y: Tensor) => stopGradient(y.square()).mul(y).sum(); // as if y² were a constant: f′ = x²
  const [value, tangent] = jvp(f, [x], [constant([1, 1], [2])]);
  const results = await run({ value, tangent, slope: grad(f)(x)[0]! }, { x: [2, 3] });
  expect(results).toEqual({ value: [35], tangent: [13], slope: [4, 9] });
  expect(pullback([stopGradient(x)], [x], [x])).toEqual([null]);
  expect(pushforward([stopGradient(x)], [x], [x])).toEqual([null]);
});

test("jvp and grad move only the arguments, not what the function closes over", async () => {
  const x = float("x");
  const f = (y: Tensor) => y.mul(x); // ∂/∂y = x, although y is x
  const [, tangent] = jvp(f, [x], [constant([1], [])]);
  const [, pull] = vjp(f, [x]);
  const [pulled] = pull(constant([1], []));
  const results = await run({ tangent, slope: grad(f)(x)[0]!, pulled: pulled! }, { x: [3] });
  expect(results).toEqual({ tangent: [3], slope: [3], pulled: [3] });
});

test("gradients by tensors, unlike grad, follow every use", async () => {
  const x = float("x");
  const results = await run({ slope: gradients(mul(x, x), [x])[0]! }, { x: [3] });
  expect(results.slope).toEqual([6]);
});

test("what a result does not depend on gets zeros of its own shape", async () => {
  const [x, w] = [float("x", 2), float("w", 3)];
  const [slopeX, slopeW] = grad((a) => a.sum())(x, w) as [Tensor, Tensor];
  const [, tangent] = jvp(() => w, [x], [x]);
  expect(await run({ slopeX, slopeW, tangent }, { x: [1, 2], w: [3, 4, 5] })).toEqual({
    slopeX: [1, 1],
    slopeW: [0, 0, 0],
    tangent: [0, 0, 0],
  });
});

test("jvp of several results gives a tangent for each, in the results' shapes", () => {
  const [x, dx] = [float("x", 2, 1), float("dx", 2, 1)];
  const [values, tangents] = jvp((a) => [a.add(constant([0, 0, 0], [3])), a.sum()], [x], [dx]);
  expect(values.map((y) => y.shape)).toEqual([[2, 3], []]);
  expect(tangents.map((y) => y.shape)).toEqual([[2, 3], []]);
});

test("integer results carry no tangent", () => {
  const x = constant([0, 1], [2], "int64");
  expect(pushforward([gather(float("table", 2, 3), x)], [x], [x])).toEqual([null]);
});

test("errors name the tensor that does not fit", () => {
  const x = float("x", 2);
  const two = (a: Tensor) => a.mul(2);
  expect(() => gradients(two(x), [x])).toThrow("gradients: the loss is mul float32[2]; it must be a scalar");
  expect(() => grad(two)(x)).toThrow("gradients: the loss is mul float32[2]; it must be a scalar");
  expect(() => jvp(two, [x], [float("dx", 3)])).toThrow(
    "jvp: tangent 0 is input dx float32[3], its primal input x float32[2]",
  );
  expect(() => vjp(two, [x])[1](float("ct"))).toThrow(
    "vjp: the cotangent is input ct float32[], the value mul float32[2]",
  );
  expect(() => jvp(two, [x], [])).toThrow("jvp: primals and tangents differ in number: 1 and 0");
});
