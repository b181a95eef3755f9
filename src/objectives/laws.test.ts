import { describe, expect, test } from "vitest";
import { float, referenceOf } from "../../tests/engine.js";
import { gradients } from "../autodiff/index.js";
import type { Tensor } from "../graph/tensor.js";
import { exp, input, onesLike, sin, sqrt, sub } from "../ops/index.js";
import {
  gaussianFlow,
  gaussianPosterior,
  LEVELS,
  type Network,
  PARAMETERISATIONS,
  PATHS,
  type Path,
  partialS,
} from "../paths/index.js";
import { consistencyDistillation, consistencyTraining } from "./consistency.js";
import { ddpm } from "./diffusion.js";
import { edm } from "./edm.js";
import { flowMatching, type OneTimeNetwork } from "./flow-matching.js";
import { meanFlow } from "./meanflow.js";
import { consistencyLoss, velocityLoss } from "./soflow.js";

/*
 * For Gaussian data every exact model is known, and linear in x. Draws of x_0 and ε are replaced by the 5 × 5 nodes of
 * Gauss–Hermite quadrature, which gives expectations of polynomials up to degree 9 in each without any sampling error.
 * A model is the exact one plus θ g(x): its expected gradient in θ must vanish, and must not for a model that is wrong.
 * Adaptive weights are switched off (p = 0): they correlate with the error, which moves the minimum.
 */
const NODES = [0, 1.355626179974266, -1.355626179974266, 2.856970013872806, -2.856970013872806];
const WEIGHTS = [0.5333333333333333, 0.2220759220056126, 0.2220759220056126, 0.01125741132772071, 0.01125741132772071];
const PAIRS = NODES.flatMap((a, i) => NODES.map((b, j) => ({ a, b, weight: WEIGHTS[i]! * WEIGHTS[j]! })));
const N = PAIRS.length;

const column = (name: string): Tensor => float(name, N, 1, 1, 1);
const [x_0, eps, theta] = [column("x_0"), column("eps"), column("theta")];
const labels = input("labels", { dtype: "int64", shape: [N] });
const data = { mean: float("mean", 1), deviation: float("deviation", 1) };
const [MEAN, DEVIATION] = [0.4, 0.7];
const constant = (value: number): number[] => new Array<number>(N).fill(value);
const feeds = {
  x_0: PAIRS.map(({ a }) => MEAN + DEVIATION * a),
  eps: PAIRS.map(({ b }) => b),
  theta: constant(0),
  labels: constant(0),
  mean: [MEAN],
  deviation: [DEVIATION],
};

/** The directions g in which a model may be wrong. */
const DIRECTIONS = {
  constant: (x: Tensor) => onesLike(x),
  linear: (x: Tensor) => x,
  square: (x: Tensor) => x.square(),
};

type Times = Readonly<Record<string, number>>;
type Model = (x: Tensor, ...times: Tensor[]) => Tensor;
type Law = {
  /** The exact output of the network. */
  readonly exact: Model;
  /** The loss of a network made of a model. */
  readonly loss: (model: Model) => Tensor;
};

const named = (times: Times) => Object.fromEntries(Object.entries(times).map(([name, t]) => [name, constant(t)]));

/** |E ∂loss/∂θ| for the exact model times `scale` plus θ g. */
const expectedGradient = (
  { exact, loss }: Law,
  direction: keyof typeof DIRECTIONS,
  times: Times,
  scale = 1,
): number => {
  const g = DIRECTIONS[direction];
  const model: Model = (x, ...at) =>
    exact(x, ...at)
      .mul(scale)
      .add(theta.mul(g(x)));
  const [slope] = gradients(loss(model).mul(N), [theta]);
  const values = referenceOf(slope!, { ...feeds, ...named(times) });
  return Math.abs(PAIRS.reduce((sum, { weight }, i) => sum + weight * values[i]!, 0));
};

const [t, s, r, l] = [column("t"), column("s"), column("r"), column("ratio")];
const weight = { power: 0, epsilon: 1 };
const draws = { x_0, eps, labels, original: labels };
const oneTime =
  (model: Model): OneTimeNetwork =>
  (x, at) =>
    model(x, at);
const network =
  (model: Model): Network =>
  (x, at, to, y) =>
    model(x, at, to, y);

/** Levels σ as a path: x = x_0 + σ ε. */
const NOISE: Path = { alpha: (at) => onesLike(at), beta: (at) => at };
const levels = gaussianFlow(data, NOISE);
const exactDenoiser = (x: Tensor, sigma: Tensor): Tensor => gaussianPosterior(data, onesLike(sigma), sigma).data(x);
/** F of a function c_skip(σ) x + c_out(σ) F(c_in(σ) x, …), with the network's input scaled back. */
const preconditioned =
  (value: (x: Tensor, sigma: Tensor) => Tensor, shift: number, rate: number): Model =>
  (x, at) => {
    const sigma = exp(at!.mul(1 / rate));
    const total = sigma.square().add(LEVELS.data ** 2);
    const whole = x.mul(sqrt(total)); // the network sees c_in x
    const gap = sigma.sub(shift);
    const skip = shift === 0 ? total : gap.square().add(LEVELS.data ** 2);
    const rest = value(whole, sigma).sub(whole.mul(LEVELS.data ** 2).div(skip));
    return rest.mul(sqrt(total)).div(gap.mul(LEVELS.data));
  };

const linear = gaussianFlow(data, PATHS.linear);
const average: Model = (z, at, from) => z.sub(linear.solution(z, at!, from!)).div(at!.sub(from!));
const alphaBar = column("alphaBar");

const UNBIASED: Record<string, { law: Law; times: readonly Times[] }> = {
  "flow matching": {
    law: {
      exact: (x, at) => linear.velocity(x, at!),
      loss: (model) => flowMatching({ network: oneTime(model), path: PATHS.linear })({ ...draws, t }).loss,
    },
    times: [{ t: 0.1 }, { t: 0.5 }, { t: 0.9 }],
  },
  ddpm: {
    law: {
      exact: (x) => gaussianPosterior(data, sqrt(alphaBar), sqrt(sub(1, alphaBar))).noise(x),
      loss: (model) => ddpm({ network: oneTime(model) })({ ...draws, step: t, alphaBar }).loss,
    },
    times: [
      { t: 10, alphaBar: 0.95 },
      { t: 500, alphaBar: 0.3 },
    ],
  },
  edm: {
    law: {
      exact: preconditioned(exactDenoiser, 0, 0.25),
      loss: (model) => edm({ network: oneTime(model) })({ ...draws, sigma: t }).loss,
    },
    times: [{ t: 0.05 }, { t: 0.6 }, { t: 8 }],
  },
  MeanFlow: {
    law: {
      exact: average,
      loss: (model) =>
        meanFlow({ network: network(model), path: PATHS.linear, weight, nullLabel: 9 })({ ...draws, t, r }).loss,
    },
    times: [
      { t: 0.9, r: 0.2 },
      { t: 0.5, r: 0.4 },
      { t: 1, r: 0 },
    ],
  },
};
for (const [pathName, path] of Object.entries(PATHS))
  for (const [name, coefficients] of Object.entries(PARAMETERISATIONS))
    UNBIASED[`SoFlow's velocity loss, ${pathName} path, ${name}`] = {
      law: {
        exact: (x, at) => {
          const v = gaussianFlow(data, path).velocity(x, at!);
          return v.sub(partialS(coefficients.a, at!, at!).mul(x)).div(partialS(coefficients.b, at!, at!));
        },
        loss: (model) =>
          velocityLoss({ network: network(model), path, coefficients, weight, nullLabel: 9 })({ ...draws, t }).loss,
      },
      times: [{ t: 0.1 }, { t: 0.5 }, { t: 0.9 }],
    };

describe.each(Object.entries(UNBIASED))("%s on Gaussian data", (_, { law, times }) => {
  test.each(Object.keys(DIRECTIONS) as (keyof typeof DIRECTIONS)[])(
    "the exact model is stationary: %s",
    (direction) => {
      for (const at of times) expect(expectedGradient(law, direction, at)).toBeLessThan(1e-10);
    },
  );

  test("a model that is wrong by a tenth is not", () => {
    for (const at of times) expect(expectedGradient(law, "linear", at, 1.1)).toBeGreaterThan(1e-3);
  });
});

/** Falling by about `factor` whenever the parameter of a list is halved. */
const expectFalling = (values: readonly number[], factor: number): void => {
  for (const [i, value] of values.slice(1).entries()) {
    expect(values[i]! / value).toBeGreaterThan(factor * 0.85);
    expect(values[i]! / value).toBeLessThan(factor * 1.18);
  }
};

describe("objectives with a finite interval are stationary at the exact model in its limit", () => {
  const halves = [0.04, 0.02, 0.01, 0.005];

  test.each(
    Object.entries(PATHS).flatMap(([pathName, path]) =>
      Object.entries(PARAMETERISATIONS).map(([name, coefficients]) => [pathName, name, path, coefficients] as const),
    ),
  )("SoFlow's consistency loss, %s path, %s: linearly in t − l", (_, __, path, coefficients) => {
    const law: Law = {
      exact: (x, at, to) => {
        const f = gaussianFlow(data, path).solution(x, at!, to!);
        return f.sub(coefficients.a(at!, to!).mul(x)).div(coefficients.b(at!, to!));
      },
      loss: (model) =>
        consistencyLoss({ network: network(model), path, coefficients, weight, nullLabel: 9 })({
          ...draws,
          time1: s,
          time2: t,
          ratio: l,
        }).loss,
    };
    const at = (ratio: number) => expectedGradient(law, "linear", { t: 0.8, s: 0.2, ratio });
    expectFalling(halves.map(at), 2);
    expect(expectedGradient(law, "linear", { t: 0.8, s: 0.2, ratio: 0.005 }, 1.1)).toBeGreaterThan(10 * at(0.005));
  });

  const consistency = (teach: boolean): Law => ({
    exact: preconditioned(
      (x, sigma) => levels.solution(x, sigma, sigma.mul(0).add(LEVELS.smallest)),
      LEVELS.smallest,
      250,
    ),
    loss: (model) => {
      const options = { network: oneTime(model), metric: "l2", weight: "uniform" } as const;
      const pair = { ...draws, sigma: t, next: s };
      return teach
        ? consistencyDistillation({ ...options, teacher: exactDenoiser })(pair).loss
        : consistencyTraining(options)(pair).loss;
    },
  });
  const gradientOver = (teach: boolean, gap: number) =>
    expectedGradient(consistency(teach), "linear", { t: 1, s: 1 - gap });

  test("consistency training: with the square of the gap between levels", () => {
    expectFalling(
      [0.08, 0.04, 0.02].map((gap) => gradientOver(false, gap)),
      4,
    );
  });

  test("consistency distillation from the exact model: with its cube, the error of a Heun step", () => {
    expectFalling(
      [0.08, 0.04, 0.02].map((gap) => gradientOver(true, gap)),
      8,
    );
  });
});

test("SoFlow with r → 0 has MeanFlow's JVP target: Δ → u_target − F, linearly in t − l", () => {
  const F = (x: Tensor, at: Tensor, to: Tensor): Tensor =>
    sin(x.mul(1.3)).mul(at.add(0.5)).add(x.square().mul(to)).add(at.mul(to));
  const options = { path: PATHS.linear, weight, nullLabel: 9 };
  const { target, u } = meanFlow({ network: F, ...options })({ ...draws, t, r: s });
  // with p = 0 the gradient of the loss by an addition to F(x_t, t, s) is sgn(b) Δ / N
  const shifted: Network = (x, at, to) => F(x, at, to).add(theta);
  const soflow = { network: shifted, coefficients: PARAMETERISATIONS.euler, ...options };
  const { loss } = consistencyLoss(soflow)({ ...draws, time1: s, time2: t, ratio: l });
  const [slope] = gradients(loss.mul(N), [theta]);
  const errorAt = (ratio: number): number => {
    const times = named({ t: 0.8, s: 0.2, ratio });
    const difference = referenceOf(slope!.sub(u.sub(target)), { ...feeds, ...times });
    return Math.max(...difference.map(Math.abs));
  };
  expectFalling([0.02, 0.01, 0.005, 0.0025].map(errorAt), 2);
});
