import fc from "fast-check";
import { expect, test } from "vitest";
import { float, gaussian, testRuntime } from "../../tests/engine.js";
import type { Tensor } from "../graph/tensor.js";
import { input } from "../ops/index.js";
import { LEVELS, type Network, PATHS, sigmaGrid } from "../paths/index.js";
import { ddimStep } from "../samplers/ddim.js";
import { consistencyFunction, consistencyTraining } from "./consistency.js";
import { curriculum } from "./curriculum.js";
import { alphaBars, ddpm } from "./diffusion.js";
import { flowMatching, type OneTimeNetwork } from "./flow-matching.js";
import { meanFlow } from "./meanflow.js";

const run = testRuntime();
const SHAPE = [3, 2, 2, 2] as const;
const [x_0, eps] = [float("x_0", ...SHAPE), float("eps", ...SHAPE)];
const [t, r] = [float("t", 3, 1, 1, 1), float("r", 3, 1, 1, 1)];
const labels = input("labels", { dtype: "int64", shape: [3] });
const point = float("point", ...SHAPE);
const data = gaussian("point", [...SHAPE]);
const feeds = {
  x_0: data,
  point: data,
  eps: gaussian("eps", [...SHAPE]),
  t: [0.9, 0.5, 0.3],
  r: [0.2, 0.5, 0.1],
  labels: [0, 1, 2],
};

test("for one-point data on the linear path the exact velocity has no flow matching loss", async () => {
  const exact: OneTimeNetwork = (x, at) => x.sub(point).div(at); // v = (x_t − x_0) / t
  const { loss } = flowMatching({ network: exact, path: PATHS.linear })({ x_0, eps, t, labels });
  expect((await run({ loss }, feeds)).loss![0]).toBeLessThan(1e-11);
});

test("for one-point data the exact average velocity has no MeanFlow loss, and with r = t the target is the velocity", async () => {
  const exact: Network = (z, at) => z.sub(point).div(at); // trajectories are straight: the average is the velocity
  const options = { path: PATHS.linear, weight: { power: 1, epsilon: 0.01 }, nullLabel: 9 };
  const draws = { x_0, eps, labels, original: labels, t };
  const { error } = meanFlow({ network: exact, ...options })({ ...draws, r });
  for (const value of (await run({ error }, feeds)).error!) expect(value).toBeLessThan(1e-9);
  const other: Network = (z, at, from) => z.mul(at.add(from));
  const { target } = meanFlow({ network: other, ...options })({ ...draws, r: t });
  const got = await run({ difference: target.sub(eps.sub(x_0)) }, feeds);
  for (const value of got.difference!) expect(Math.abs(value)).toBeLessThan(1e-6);
});

test("MeanFlow's derivative is the central difference along (v, 1, 0)", async () => {
  const network: Network = (z, at, from) => z.mul(z).mul(at).add(from.mul(at).mul(at));
  const { du_dt } = meanFlow({ network, path: PATHS.linear, weight: { power: 0, epsilon: 1 }, nullLabel: 9 })({
    x_0,
    eps,
    labels,
    original: labels,
    t,
    r,
  });
  const h = 1e-3;
  const v = eps.sub(x_0);
  const z = x_0.add(v.mul(t));
  const at = (step: number): Tensor => network(z.add(v.mul(step)), t.add(step), r, labels);
  const got = await run(
    {
      difference: at(h)
        .sub(at(-h))
        .div(2 * h)
        .sub(du_dt),
    },
    feeds,
  );
  for (const value of got.difference!) expect(Math.abs(value)).toBeLessThan(5e-3);
});

test("the exact noise has no DDPM loss, and one DDIM step to ᾱ = 1 gives the data back", async () => {
  const alphaBar = float("alphaBar", 3, 1, 1, 1);
  const given = { ...feeds, alphaBar: [0.9, 0.5, 0.01] };
  const exact: OneTimeNetwork = () => eps;
  const { loss } = ddpm({ network: exact })({ x_0, eps, step: t, alphaBar, labels });
  const x = alphaBar.mul(0).add(1); // ᾱ′ = 1
  const noised = x_0.mul(float("root", 3, 1, 1, 1)).add(eps.mul(float("rest", 3, 1, 1, 1)));
  const roots = { root: given.alphaBar.map(Math.sqrt), rest: given.alphaBar.map((a) => Math.sqrt(1 - a)) };
  const back = ddimStep(noised, eps, alphaBar, x).sub(x_0);
  const got = await run({ loss, back }, { ...given, ...roots });
  expect(got.loss![0]).toBe(0);
  for (const value of got.back!) expect(Math.abs(value)).toBeLessThan(1e-5);
});

test("ᾱ falls from 1 − 1e-4 to almost 0", () => {
  const bars = alphaBars();
  expect(bars).toHaveLength(1000);
  expect(bars[0]).toBeCloseTo(1 - 1e-4, 12);
  expect(bars[999]).toBeLessThan(5e-5);
  for (let i = 1; i < 1000; i++) expect(bars[i]).toBeLessThan(bars[i - 1]!);
});

test("f(x, σ_min) = x whatever the network says; a constant f has no consistency loss", async () => {
  const network: OneTimeNetwork = (x) => x.mul(3).add(1);
  const smallest = t.mul(0).add(LEVELS.smallest);
  const f = consistencyFunction(network)(x_0, smallest, labels).sub(x_0);
  for (const value of (await run({ f }, feeds)).f!) expect(Math.abs(value)).toBeLessThan(1e-6);
  const draws = { x_0, eps, sigma: t, next: t, labels };
  const { loss } = consistencyTraining({ network, metric: "l2", weight: "karras" })(draws);
  expect((await run({ loss }, feeds)).loss![0]).toBe(0);
});

test("the grid of levels falls from 80 to 0.002; the curriculum's levels never fall", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 200 }), (n) => {
      const grid = sigmaGrid(n);
      expect(grid).toHaveLength(n);
      expect(grid[0]).toBeCloseTo(80, 8);
      expect(grid.at(-1)).toBeCloseTo(0.002, 10);
      for (let i = 1; i < n; i++) expect(grid[i]).toBeLessThan(grid[i - 1]!);
    }),
  );
  const at = (k: number) => curriculum({ s0: 2, s1: 150, mu0: 0.9, steps: 1000 }, k);
  for (let k = 1; k <= 1000; k++) expect(at(k).levels).toBeGreaterThanOrEqual(at(k - 1).levels);
  expect(at(0)).toEqual({ levels: 2, decay: expect.closeTo(0.81, 12) as number });
  expect(at(1000).levels).toBe(151);
});
