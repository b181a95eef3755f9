import { describe, expect, test } from "vitest";
import { distance, float, gaussian, referenceOf } from "../../tests/engine.js";
import { gradients, jvp } from "../autodiff/index.js";
import type { Tensor } from "../graph/tensor.js";
import { onesLike, sin, sqrt } from "../ops/index.js";
import { gaussianFlow, gaussianLevels, gaussianPosterior } from "./gaussian.js";
import { along, PATHS, type Path } from "./path.js";
import { LEVELS } from "./sigmas.js";

const N = 5;
const [x, t, l, s] = [float("x", N, 2, 1, 1), float("t", N, 1, 1, 1), float("l", N, 1, 1, 1), float("s", N, 1, 1, 1)];
const data = { mean: float("mean", 1, 2, 1, 1), deviation: float("deviation", 1, 2, 1, 1) };
const feeds = {
  x: gaussian("x", [N, 2]),
  t: [0.95, 0.8, 0.6, 0.4, 0.2],
  l: [0.9, 0.5, 0.5, 0.3, 0.15],
  s: [0.1, 0.3, 0.05, 0.2, 0.1],
  mean: [0.5, -0.3],
  deviation: [0.6, 1.2],
};
const LEVELS_PATH: Path = { alpha: (at) => onesLike(at), beta: (at) => at };

describe.each(Object.entries({ ...PATHS, "noise levels": LEVELS_PATH }))("the exact Gaussian flow, %s", (_, path) => {
  const { velocity, solution, averageVelocity } = gaussianFlow(data, path);
  const near = (a: Tensor, b: Tensor) =>
    expect(distance(referenceOf(a, feeds), referenceOf(b, feeds))).toBeLessThan(1e-12);

  test("f(x, t, t) = x, and steps compose", () => {
    near(solution(x, t, t), x);
    near(solution(solution(x, t, l), l, s), solution(x, t, s));
  });

  test("v is the slope of f at s = t", () => {
    near(jvp((at) => solution(x, t, at), [t], [onesLike(t)])[1], velocity(x, t));
  });

  test("f does not change along the flow: its derivative along (v, 1) is 0", () => {
    const [, change] = jvp((z, at) => solution(z, at, s), [x, t], [velocity(x, t), onesLike(t)]);
    near(change, x.mul(0));
  });

  test("the average velocity leads from t to s in one step; at s = t it is the velocity, and tends to it", () => {
    near(x.sub(averageVelocity(x, t, s).mul(t.sub(s))), solution(x, t, s));
    near(averageVelocity(x, t, t), velocity(x, t));
    const gapAt = (h: number) =>
      distance(referenceOf(averageVelocity(x, t, t.sub(h)), feeds), referenceOf(velocity(x, t), feeds));
    expect(gapAt(1e-3) / gapAt(5e-4)).toBeCloseTo(2, 1);
  });

  test("the average velocity satisfies MeanFlow's identity u = v − (t − s) du/dt along the flow", () => {
    const v = velocity(x, t);
    const [u, du_dt] = jvp((z, at) => averageVelocity(z, at, s), [x, t], [v, onesLike(t)]);
    near(u, v.sub(t.sub(s).mul(du_dt)));
  });

  test("its gradient is finite at s = t too", () => {
    const [slope] = gradients(averageVelocity(x, t, t).sum(), [x]);
    expect(referenceOf(slope!, feeds).every(Number.isFinite)).toBe(true);
  });

  test("v is what regression of v_t on x_t finds: its residual is orthogonal to functions of x_t", () => {
    const n = 20_000;
    const [x_0, eps] = [float("x_0", n, 1, 1, 1), float("eps", n, 1, 1, 1)];
    const time = float("time", 1, 1, 1, 1);
    const { x_t, v_t } = along(path, time, { x_0, eps });
    const one = gaussianFlow({ mean: float("mean", 1), deviation: float("deviation", 1) }, path);
    const drawn = { x_0: gaussian("z", [n]).map((z) => 0.5 + 0.6 * z), eps: gaussian("eps", [n]) };
    const given = { ...drawn, mean: [0.5], deviation: [0.6], time: [0.7] };
    const residual = v_t.sub(one.velocity(x_t, time));
    for (const g of [onesLike(x_t), x_t, x_t.square(), sin(x_t)]) expectNoMean(referenceOf(residual.mul(g), given));
    const wrong = v_t.sub(one.velocity(x_t, time).mul(0.9));
    expect(() => expectNoMean(referenceOf(wrong.mul(x_t), given))).toThrow();
  });
});

describe("in noise levels", () => {
  const { denoiser, consistency } = gaussianLevels(data);
  const sigma = t;
  const near = (a: Tensor, b: Tensor) =>
    expect(distance(referenceOf(a, feeds), referenceOf(b, feeds))).toBeLessThan(1e-12);

  test("D(x, 0) = x, and D is the mean of the data where there is only noise", () => {
    near(denoiser(x, sigma.mul(0)), x);
    const far = referenceOf(denoiser(x, sigma.add(1e6)), feeds);
    for (const [i, value] of far.entries()) expect(value).toBeCloseTo(feeds.mean[i % 2]!, 6);
  });

  test("the consistency function is constant along dx/dσ = (x − D) / σ, and x itself at its last level", () => {
    const slope = x.sub(denoiser(x, sigma)).div(sigma);
    for (const to of [undefined, 0, 0.1]) {
      const [, change] = jvp((z, at) => consistency(z, at, to), [x, sigma], [slope, onesLike(sigma)]);
      near(change, x.mul(0));
    }
    near(consistency(x, sigma.mul(0).add(LEVELS.smallest)), x);
  });

  test("it carries x_σ to the distribution of the data: mean and deviation of x − μ over √(d² + σ²) become d", () => {
    const { mean, deviation } = data;
    const standard = (z: Tensor, level: Tensor) => z.sub(mean).div(sqrt(deviation.square().add(level.square())));
    near(standard(consistency(x, sigma, 0), sigma.mul(0)), standard(x, sigma));
  });
});

/** The mean of these values is within four of its standard errors of 0. */
const expectNoMean = (values: Float64Array): void => {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const error = Math.sqrt(values.reduce((sum, v) => sum + v * v, 0)) / values.length;
  expect(Math.abs(mean)).toBeLessThan(4 * error);
};

test("E[ε | x] and E[x_0 | x] are what regression finds on 40,000 draws", () => {
  const n = 40_000;
  const [x_0, eps] = [float("x_0", n, 1, 1, 1), float("eps", n, 1, 1, 1)];
  const one = { mean: float("mean", 1), deviation: float("deviation", 1) };
  const time = float("time", 1, 1, 1, 1);
  const { x_t } = along(PATHS.linear, time, { x_0, eps });
  const { alpha, beta } = PATHS.linear;
  const { noise, data: expected } = gaussianPosterior(one, alpha(time), beta(time));
  const z = gaussian("z", [n]);
  const given = {
    x_0: z.map((v) => 0.5 + 0.6 * v),
    eps: gaussian("eps", [n]),
    mean: [0.5],
    deviation: [0.6],
    time: [0.7],
  };
  for (const residual of [noise(x_t).sub(eps), expected(x_t).sub(x_0)])
    for (const test of [residual, residual.mul(x_t), residual.mul(x_t).mul(x_t)])
      expectNoMean(referenceOf(test, given));
});
