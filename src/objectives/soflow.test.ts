import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { distance, float, gaussian, referenceOf, referenceValues, testRuntime } from "../../tests/engine.js";
import { gradients } from "../autodiff/index.js";
import type { Tensor } from "../graph/tensor.js";
import { lower } from "../onnx/index.js";
import { abs, add, cast, constant, cos, div, equal, input, reshape, sin, slice, stopGradient } from "../ops/index.js";
import { along, type Network, PARAMETERISATIONS, PATHS, solution } from "../paths/index.js";
import { adaptiveWeight, perSample } from "./adaptive.js";
import { evaluate } from "./batching.js";
import { type Guidance, guidedVelocity } from "./guidance.js";
import {
  type ConsistencyDraws,
  consistencyLoss,
  middleTimes,
  type SoFlowOptions,
  soflow,
  type VelocityDraws,
  velocityLoss,
} from "./index.js";

const BATCH = 4;
const IMAGE = [2, 3, 3] as const;
const NULL = 9;
const GUIDANCE: Guidance = { scale: 2.5, mix: 0.6, decayTime: 0.75 };

const times = (name: string): Tensor => float(name, BATCH, 1, 1, 1);
const labels = (name: string): Tensor => input(name, { dtype: "int64", shape: [BATCH] });
const samples = {
  x_0: float("x_0", BATCH, ...IMAGE),
  eps: float("eps", BATCH, ...IMAGE),
  labels: labels("labels"),
  original: labels("original"),
};
const velocityDraws: VelocityDraws = { ...samples, t: times("t") };
const consistencyDraws: ConsistencyDraws = {
  ...samples,
  time1: times("time1"),
  time2: times("time2"),
  ratio: float("ratio"),
};
const feeds = {
  x_0: gaussian("x_0", [BATCH, ...IMAGE]),
  eps: gaussian("eps", [BATCH, ...IMAGE]),
  labels: [1, NULL, 2, 0],
  original: [1, 3, 2, 0],
  t: [0.9, 0.2, 0.55, 0.35],
  time1: [0.1, 0.3, 0.9, 0.05],
  time2: [0.9, 0.5, 0.4, 1],
  ratio: [0.3],
  theta: [0.7],
};

/** Some network of x, t, s and y with one weight. */
const theta = float("theta");
const networkOf =
  (weight: Tensor): Network =>
  (x, t, s, y) => {
    const label = reshape(cast(y, { to: "float32" }), { shape: [y.dim(0), 1, 1, 1] });
    return sin(x.mul(weight).add(t.mul(2)).sub(s)).add(label.mul(0.1));
  };
const someNetwork = networkOf(theta);

const options = (change: Partial<SoFlowOptions> = {}): SoFlowOptions => ({
  network: someNetwork,
  path: PATHS.linear,
  coefficients: PARAMETERISATIONS.euler,
  weight: { power: 0.5, epsilon: 0.01 },
  nullLabel: NULL,
  ...change,
});

const value = (y: Tensor, change: object = {}): number => referenceOf(y, { ...feeds, ...change })[0]!;

describe("data of one point, and the network that is right for it", () => {
  const point = float("point", 1, ...IMAGE);
  const half = (t: Tensor): Tensor => t.mul(Math.PI / 2);
  /** x_s from x_t when all data are x_0, solved for F: it does not depend on s. */
  const exact: Readonly<Record<"linear" | "trig", Network>> = {
    linear: (x, t) => div(x.sub(point), t),
    trig: (x, t) => div(cos(half(t)).mul(x).sub(point), sin(half(t))),
  };
  const guidances = { "no guidance": undefined, guidance: GUIDANCE, "guidance unmixed": { ...GUIDANCE, mix: 1 } };
  const cases = [
    ["linear", "euler"],
    ["trig", "trig"],
  ] as const;
  const all = cases.flatMap(([path, kind]) =>
    Object.entries(guidances).map(([name, guidance]) => [path, kind, name, guidance] as const),
  );
  const time = fc.double({ min: 0.01, max: 0.999, noNaN: true });
  const four = fc.tuple(time, time, time, time);
  const x_0 = add(samples.x_0.mul(0), point);
  const setUp = (path: "linear" | "trig", kind: "euler" | "trig", guidance: Guidance | undefined) =>
    options({ network: exact[path], path: PATHS[path], coefficients: PARAMETERISATIONS[kind], guidance });

  test.each(all)(
    "%s path, %s parameterisation, %s: the velocity loss is 0 for all draws",
    (path, kind, _, guidance) => {
      const o = setUp(path, kind, guidance);
      const { loss } = velocityLoss(o)({ ...velocityDraws, x_0 });
      fc.assert(
        fc.property(four, fc.nat(), (t, seed) => {
          expect(value(loss, { t, point: gaussian(`point ${seed}`, IMAGE) })).toBeLessThan(1e-5);
        }),
        { numRuns: 20 },
      );
      const wrong = { ...o, network: (...args: Parameters<Network>) => exact[path](...args).add(0.1) };
      const error = velocityLoss(wrong)({ ...velocityDraws, x_0 }).loss;
      expect(value(error, { point: gaussian("point", IMAGE) })).toBeGreaterThan(1e-3);
    },
  );

  test.each(all.filter(([path]) => path === "linear"))(
    "%s path, %s parameterisation, %s: the consistency loss is 0 for all draws",
    (path, kind, _, guidance) => {
      const { loss, report } = consistencyLoss(setUp(path, kind, guidance))({ ...consistencyDraws, x_0 });
      fc.assert(
        fc.property(four, four, time, fc.nat(), (time1, time2, ratio, seed) => {
          const draws = { ...feeds, point: gaussian(`point ${seed}`, IMAGE), time1, time2, ratio: [ratio] };
          for (const [error] of referenceValues([loss, report.mse!], draws))
            expect(Math.abs(error!)).toBeLessThan(1e-5);
        }),
        { numRuns: 20 },
      );
    },
  );

  test("on the trig path, which is curved, the straight step to x_l leaves Δ of first order in t − l", () => {
    const { report } = consistencyLoss(setUp("trig", "trig", undefined))({ ...consistencyDraws, x_0 });
    const far = { point: gaussian("point", IMAGE), time1: [0.1, 0.3, 0.2, 0.05], time2: [0.9, 0.8, 0.7, 1] };
    const [wide, narrow] = [0.02, 0.01].map((ratio) => value(report.mse!, { ...far, ratio: [ratio] }));
    expect(wide! / narrow!).toBeCloseTo(4, 1); // mean Δ² ∝ (t − l)²
  });
});

const run = testRuntime();

test("s ≤ l < t, with the gap kept, for all draws and ratios in float32", async () => {
  const n = 64;
  const { t, s, l } = middleTimes(float("time1", n), float("time2", n), float("ratio"));
  const time = fc.double({ min: 0, max: 1, noNaN: true });
  const edges = fc.oneof(time, fc.constantFrom(0, 1e-4, 2e-4, 0.5, 1));
  const many = fc.array(edges, { minLength: n, maxLength: n });
  await fc.assert(
    fc.asyncProperty(many, many, fc.double({ min: 1e-6, max: 1, noNaN: true }), async (time1, time2, ratio) => {
      const got = await run({ t, s, l }, { time1, time2, ratio: [ratio] });
      for (let i = 0; i < n; i++) {
        const [ti, si, li] = [got.t![i]!, got.s![i]!, got.l![i]!];
        expect(ti).toBeGreaterThanOrEqual(Math.fround(1e-4));
        expect(si).toBeGreaterThanOrEqual(0);
        expect(si).toBeLessThanOrEqual(li + 1.2e-7); // one rounding
        expect(ti - li).toBeGreaterThan(0.999e-4);
      }
    }),
    { numRuns: 25 },
  );
});

describe("the weight", () => {
  const perfect = { power: 0, epsilon: 1e-3 };
  test.each([
    ["euler", 1],
    ["trig", Math.PI / 2],
  ] as const)("power 0 is the plain squared error, over |∂_s b| for %s", (kind, slope) => {
    const o = options({ coefficients: PARAMETERISATIONS[kind], weight: perfect });
    const { loss, report } = velocityLoss(o)(velocityDraws);
    expect(value(loss)).toBeCloseTo(value(report.mse!) / slope, 6);
    expect(value(report.weight!)).toBeCloseTo(1 / slope, 6);
  });

  test("power 1 makes every sample's share nearly 1, however large its error", () => {
    const errors = float("errors", 3, 1, 1, 1);
    const weighted = adaptiveWeight(errors, { power: 1, epsilon: 1e-6 }).mul(errors);
    expect(distance(referenceOf(weighted, { errors: [0.1, 3, 1000] }), [1, 1, 1])).toBeLessThan(1e-4);
  });

  test("no gradient flows through it", () => {
    const errors = float("errors", 3, 1, 1, 1);
    const weight = adaptiveWeight(errors, { power: 0.5, epsilon: 1e-2 });
    const [slope] = gradients(weight.mul(errors).sum(), [errors]);
    const [got, wanted] = referenceValues([slope!, weight], { errors: [0.1, 3, 10] });
    expect(got).toEqual(wanted);
  });

  test("the mean is over everything but the batch", () => {
    const means = perSample(float("x", 2, 1, 1, 3));
    expect(means.shape).toEqual([2, 1, 1, 1]);
    expect([...referenceOf(means, { x: [1, 2, 3, 4, 5, 9] })]).toEqual([2, 6]);
  });
});

test("the consistency loss has the gradient of a weighted squared error between f_t and a frozen f_l", () => {
  for (const kind of ["euler", "trig"] as const) {
    const o = options({ coefficients: PARAMETERISATIONS[kind], path: PATHS.trig });
    const { a, b } = o.coefficients;
    const { t, s, l } = middleTimes(consistencyDraws.time1, consistencyDraws.time2, consistencyDraws.ratio);
    const { x_t, v_t } = along(o.path, t, samples);
    const x_l = x_t.add(v_t.mul(l.sub(t)));
    const f_t = solution({ a, b }, x_t, t, s, someNetwork(x_t, t, s, samples.labels));
    const f_l = stopGradient(solution({ a, b }, x_l, l, s, someNetwork(x_l, l, s, samples.labels)));
    const gap = t.sub(l);
    const w = adaptiveWeight(perSample(f_t.sub(f_l).div(gap).square()), o.weight);
    const squared = perSample(f_t.sub(f_l).square())
      .mul(w)
      .div(abs(b(t, s)).mul(gap).mul(2))
      .mean();
    const [got] = gradients(consistencyLoss(o)(consistencyDraws).loss, [theta]);
    const [wanted] = gradients(squared, [theta]);
    expect(Math.abs(value(wanted!))).toBeGreaterThan(1e-3);
    expect(value(got!)).toBeCloseTo(value(wanted!), 10);
  }
});

describe("guidance", () => {
  test("scale 1 is the very program without guidance", () => {
    const bytes = (guidance?: Guidance) => {
      const loss = soflow(options({ guidance }))({ velocity: velocityDraws, consistency: consistencyDraws });
      return lower("loss", { loss: loss.loss, ...loss.report }).bytes;
    };
    expect(bytes({ ...GUIDANCE, scale: 1 })).toEqual(bytes());
    expect(bytes(GUIDANCE)).not.toEqual(bytes());
  });

  test("dropped samples follow their own velocity", () => {
    const dropped = { labels: [NULL, NULL, NULL, NULL] };
    for (const [loss, draws] of [
      [velocityLoss, velocityDraws],
      [consistencyLoss, consistencyDraws],
    ] as [typeof velocityLoss, VelocityDraws][]) {
      const [plain, guided] = [loss(options())(draws).loss, loss(options({ guidance: GUIDANCE }))(draws).loss];
      expect(value(guided, dropped)).toBeCloseTo(value(plain, dropped), 12);
      expect(value(guided)).not.toBeCloseTo(value(plain), 4);
    }
  });

  test("the target of a guided velocity loss carries no gradient", () => {
    const o = options({ guidance: GUIDANCE, weight: { power: 0, epsilon: 1 } });
    const { t, labels, original } = velocityDraws;
    const { x_t, v_t } = along(o.path, t, samples);
    const frozen = networkOf(float("frozen")); // the same network, its weight under a name that is not differentiated
    const none = constant([NULL, NULL, NULL, NULL], [BATCH], "int64");
    const v_star = guidedVelocity(GUIDANCE, {
      t,
      v_t,
      v_null: frozen(x_t, t, t, none),
      v_y: frozen(x_t, t, t, original),
      dropped: reshape(equal(labels, none), { shape: t.shape }),
    });
    const squared = someNetwork(x_t, t, t, labels).sub(v_star).square().mean();
    const [got] = gradients(velocityLoss(o)(velocityDraws).loss, [theta]);
    const [wanted] = gradients(squared, [theta]);
    expect(Math.abs(value(wanted!, { frozen: feeds.theta }))).toBeGreaterThan(1e-3);
    expect(value(got!)).toBeCloseTo(value(wanted!, { frozen: feeds.theta }), 10);
  });
});

/** Samples `from` … `to` − 1 of every tensor. */
const part = <T extends Readonly<Record<string, Tensor>>>(draws: T, from: number, to: number): T =>
  Object.fromEntries(
    Object.entries(draws).map(([name, x]) => [name, x.rank === 0 ? x : slice(x, { axis: 0, start: from, end: to })]),
  ) as unknown as T;

describe("batches", () => {
  const o = options({ guidance: GUIDANCE });
  test.each([1, 2, 3])("a batch in one piece is its parts, weighted by their sizes (cut after %i)", (cut) => {
    for (const [loss, draws] of [
      [velocityLoss, velocityDraws],
      [consistencyLoss, consistencyDraws],
    ] as [typeof velocityLoss, VelocityDraws][]) {
      const [first, second] = [loss(o)(part(draws, 0, cut)).loss, loss(o)(part(draws, cut, BATCH)).loss];
      const wanted = (cut * value(first) + (BATCH - cut) * value(second)) / BATCH;
      expect(value(loss(o)(draws).loss)).toBeCloseTo(wanted, 10);
    }
  });

  test("soflow weighs its two losses by their shares of the batch and names their reports", () => {
    const [velocity, consistency] = [part(velocityDraws, 0, 3), part(consistencyDraws, 3, 4)];
    const both = soflow(o)({ velocity, consistency });
    const wanted = 0.75 * value(velocityLoss(o)(velocity).loss) + 0.25 * value(consistencyLoss(o)(consistency).loss);
    expect(value(both.loss)).toBeCloseTo(wanted, 10);
    expect(Object.keys(both.report)).toEqual([
      "velocity_mse",
      "velocity_weight",
      "consistency_mse",
      "consistency_weight",
    ]);
    expect(value(soflow(o)({ velocity }).loss)).toBeCloseTo(value(velocityLoss(o)(velocity).loss), 12);
  });

  test("several evaluations are one of the joined batch", () => {
    const calls: Tensor[] = [];
    const counted: Network = (x, t, s, y) => {
      calls.push(x);
      return someNetwork(x, t, s, y);
    };
    const { x_0, eps, labels } = samples;
    const t = velocityDraws.t;
    const joined = evaluate(counted, [
      [x_0, t, t, labels],
      [eps, t, t.mul(0), labels],
    ]);
    expect(calls.map((x) => x.shape)).toEqual([[2 * BATCH, ...IMAGE]]);
    const wanted = [someNetwork(x_0, t, t, labels), someNetwork(eps, t, t.mul(0), labels)];
    const [a, b, c, d] = referenceValues([...joined, ...wanted], feeds);
    expect([a, b]).toEqual([c, d]);
    expect(evaluate(counted, [])).toEqual([]);
  });
});

test("ONNX Runtime computes the losses and their gradient as the definitions do", async () => {
  const { loss, report } = soflow(options({ guidance: GUIDANCE, path: PATHS.trig }))({
    velocity: part(velocityDraws, 0, 3),
    consistency: part(consistencyDraws, 3, 4),
  });
  const outputs = { loss, ...report, slope: gradients(loss, [theta])[0]!, constant: constant([1], []) };
  const results = await run(outputs, feeds);
  for (const [name, y] of Object.entries(outputs)) expect(results[name]![0]! / value(y), name).toBeCloseTo(1, 3);
});
