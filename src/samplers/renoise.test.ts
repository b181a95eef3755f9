import fc from "fast-check";
import { expect, test } from "vitest";
import { distance, float, gaussian, referenceOf } from "../../tests/engine.js";
import type { Tensor } from "../graph/tensor.js";
import { PATHS } from "../paths/index.js";
import { renoise, sampleTimes } from "./renoise.js";

test("the times fall evenly from noise to data, one more than there are evaluations", () => {
  expect(sampleTimes(1)).toEqual([1, 0]);
  expect(sampleTimes(4)).toEqual([1, 0.75, 0.5, 0.25, 0]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), (n) => {
      const times = sampleTimes(n);
      expect([times.length, times[0], times.at(-1)]).toEqual([n + 1, 1, 0]);
      for (let i = 0; i < n; i++) expect(times[i]! - times[i + 1]!).toBeCloseTo(1 / n, 12);
    }),
  );
});

const SHAPE = [2, 1, 2, 2];
const [x, eps, data] = ["x", "eps", "data"].map((name) => float(name, ...SHAPE)) as [Tensor, Tensor, Tensor];
const [t, tNext] = [float("t", 2, 1, 1, 1), float("tNext", 2, 1, 1, 1)];
const feeds = { x: gaussian("x", SHAPE), eps: gaussian("eps", SHAPE), data: gaussian("data", SHAPE), t: [1, 0.5] };

test.each(Object.entries(PATHS))("on the %s path the last step, to t′ = 0, is f itself", (_, path) => {
  const f = (at: Tensor, time: Tensor) => at.mul(time).add(1);
  const got = referenceOf(renoise(f, path)(x, t, tNext, eps), { ...feeds, tNext: [0, 0] });
  expect(distance(got, referenceOf(f(x, t), feeds))).toBeLessThan(1e-7);
});

test.each(Object.entries(PATHS))("on the %s path a step from exact data lies on the path at t′", (_, path) => {
  const y = renoise(() => data, path)(x, t, tNext, eps);
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(share, share, (a, b) => {
      const all = { ...feeds, tNext: [a, b] };
      const [alpha, beta] = [referenceOf(path.alpha(tNext), all), referenceOf(path.beta(tNext), all)];
      const wanted = feeds.data.map((x_0, i) => alpha[i >> 2]! * x_0 + beta[i >> 2]! * feeds.eps[i]!);
      expect(distance(referenceOf(y, all), wanted)).toBeLessThan(1e-12);
    }),
  );
});

test("all the way back to noise, what f said does not matter", () => {
  const y = renoise(() => data, PATHS.linear)(x, t, tNext, eps);
  expect(referenceOf(y, { ...feeds, tNext: [1, 1] })).toEqual(feeds.eps);
});
