import fc from "fast-check";
import { expect, test } from "vitest";
import { float, gaussian, referenceValues } from "../../tests/engine.js";
import { gradients } from "../autodiff/index.js";
import type { Tensor } from "../graph/tensor.js";
import { input, scalar, sin } from "../ops/index.js";
import type { Network } from "../paths/index.js";
import { alphaAt, alphaFlow, alphaFlowVelocity } from "./alpha-flow.js";
import { labeled } from "./batch.js";

const IMAGE = [2, 2, 3, 3];
const theta = float("theta");
const network: Network = (x, t, s) => sin(x.mul(theta).add(t.mul(2))).sub(s.mul(x).mul(theta));
const label = input("label", { dtype: "int64", shape: [2] });
const draws = {
  x_0: float("x_0", ...IMAGE),
  eps: float("eps", ...IMAGE),
  t: float("t", 2, 1, 1, 1),
  r: float("r", 2, 1, 1, 1),
  ...labeled({ label }, 9, 4),
};
const feeds = {
  x_0: gaussian("x_0", IMAGE),
  eps: gaussian("eps", IMAGE),
  label: [0, 1],
  t: [0.9, 0.6],
  r: [0.2, 0.5],
  theta: [0.7],
};
const options = {
  network,
  guidance: { omega: 1, kappa: 0, interval: [0, 1] as const },
  epsilon: 1e-3,
  clip: 100,
};

const largest = (x: Tensor, change = {}): number =>
  Math.max(...referenceValues([x], { ...feeds, ...change })[0]!.map(Math.abs));

test("α → 0 is MeanFlow: (u − target) / α tends to that of the derivative, linearly in α", () => {
  const limit = alphaFlow(options)(draws, 0);
  const errors = [0.04, 0.02, 0.01].map((alpha) => {
    const { u, target } = alphaFlow(options)(draws, scalar(alpha));
    return largest(
      u
        .sub(target)
        .mul(1 / alpha)
        .sub(limit.u.sub(limit.target)),
    );
  });
  expect(errors[0]! / errors[1]!).toBeCloseTo(2, 0);
  expect(errors[1]! / errors[2]!).toBeCloseTo(2, 0);
  expect(errors[2]).toBeLessThan(0.1);
});

test("α = 1 is flow matching along whole trajectories, whatever the network says", () => {
  const { target, v_g } = alphaFlow(options)(draws, scalar(1));
  expect(largest(target.sub(v_g))).toBeLessThan(1e-6);
});

test("samples with r = t follow their velocity, and no target goes beyond the clip", () => {
  const { u, target } = alphaFlowVelocity(options)(draws);
  expect(
    largest(u.sub(network(draws.x_0.mul(0.1).add(draws.eps.mul(0.9)), draws.t, draws.t, {})), { t: [0.9, 0.9] }),
  ).toBeLessThan(1e-6);
  expect(largest(target.sub(draws.eps.sub(draws.x_0)))).toBeLessThan(1e-6);
  expect(largest(alphaFlow({ ...options, clip: 0.5 })(draws, scalar(0.5)).target)).toBeCloseTo(0.5, 6);
});

test("no gradient flows through a target", () => {
  const frozen = alphaFlow(options)(draws, scalar(0.3));
  const wanted = gradients(
    frozen.u
      .sub(float("target", ...IMAGE))
      .square()
      .mean(),
    [theta],
  )[0]!;
  const given = gradients(frozen.u.sub(frozen.target).square().mean(), [theta])[0]!;
  const [target] = referenceValues([frozen.target], feeds);
  const [a, b] = referenceValues([given, wanted], { ...feeds, target: target! });
  expect(a![0]).toBeCloseTo(b![0]!, 10);
});

test("α falls from 1 and stays at its least, as fast as its interval says", () => {
  const fraction = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(fraction, fraction, fraction, fraction, (p, q, a, b) => {
      const [start, end] = [Math.min(a, b) * 1000, Math.max(a, b) * 1000];
      const at = (x: number): number => alphaAt(x * 1000, start, end, 0.005);
      expect(at(Math.max(p, q))).toBeLessThanOrEqual(at(Math.min(p, q)));
      expect(at(p)).toBeGreaterThanOrEqual(0.005);
      expect(at(p)).toBeLessThanOrEqual(1);
    }),
  );
  expect(alphaAt(500, 0, 1000, 0.005)).toBeCloseTo(0.5, 12);
  expect([alphaAt(0, 0, 1000, 0.005), alphaAt(1000, 0, 1000, 0.005)]).toEqual([1, 0.005]);
});
