import { describe, expect, test } from "vitest";
import { float, referenceValues } from "../../tests/engine.js";
import { gradients } from "../autodiff/index.js";
import { UserError } from "../errors.js";
import { sizeOf } from "../graph/dtype.js";
import { lower } from "../onnx/index.js";
import { input } from "../ops/index.js";
import type { Network } from "../paths/index.js";
import { DEFAULT_OPTIONS, planSampler, SAMPLERS, type SamplerName } from "../samplers/index.js";
import { parseConfig } from "../train/config/index.js";
import {
  defaultSampler,
  longestSampler,
  METHODS,
  type MethodKind,
  openMethod,
  readingsOf,
  samplersAt,
  trainedBy,
} from "./index.js";

const KINDS = Object.keys(METHODS) as MethodKind[];
const NAMES = Object.keys(SAMPLERS) as SamplerName[];

/** The settings of a method with every default filled in. */
const settingsOf = (kind: MethodKind, more = "") =>
  parseConfig(
    `
data: { kind: points, name: checkerboard }
model: { kind: mlp, width: 8, depth: 1 }
objective: { kind: ${kind}${kind === "consistency-distillation" ? ", teacher: nowhere" : ""}${more} }
train: { steps: 100, batch: 8 }`,
    "test",
  ).objective;

const CONTEXT = { seed: 3, step: 40, steps: 100, classes: 4 };
const SIZE = 2 * 3 * 3;
const batchOf = (indices: readonly number[]) => ({
  images: Float32Array.from(indices.flatMap((i) => Array.from({ length: SIZE }, (_, j) => Math.sin(i + j)))),
  labels: BigInt64Array.from(indices, (i) => BigInt(i % 4)),
  indices,
});
const first = Array.from({ length: 8 }, (_, i) => 16 + i);
const shape = { batch: 8, channels: 2, side: 3, classes: 4 };
const F: Network = (x, t, s) => x.mul(t).add(s);

describe.each(KINDS)("%s", (kind) => {
  const settings = settingsOf(kind);
  const method = openMethod(settings);
  const teacher = (x: Parameters<Network>[0], t: Parameters<Network>[1]) => x.mul(t);
  const { loss, report } = method.loss({ network: F, average: F, teacher }, shape);

  test("its draws fill every input of its loss", () => {
    const draws = method.draws(batchOf(first), CONTEXT);
    for (const [name, type] of Object.entries(lower("loss", { loss, ...report }).inputs)) {
      expect(draws[name]?.length, name).toBe(sizeOf(type.shape));
      for (const value of draws[name]!) expect(Number.isFinite(Number(value)), name).toBe(true);
    }
  });

  test("the same step has the same draws, another step others", () => {
    expect(method.draws(batchOf(first), CONTEXT)).toEqual(method.draws(batchOf(first), CONTEXT));
    const other = method.draws(batchOf(first), { ...CONTEXT, step: 41 });
    expect(other.eps).not.toEqual(method.draws(batchOf(first), CONTEXT).eps);
  });

  test("the noise of a sample does not depend on the rest of its batch", () => {
    const whole = method.draws(batchOf(first), CONTEXT).eps as Float32Array;
    const half = method.draws(batchOf(first.slice(4)), CONTEXT).eps as Float32Array;
    expect(half).toEqual(whole.slice(4 * SIZE));
  });

  test("the method declares the times that its network reads", () => {
    const seen: boolean[] = [];
    const spy: Network = (x, t, s, y) => {
      seen.push(t === s);
      return F(x, t, s, y);
    };
    method.loss({ network: spy, average: spy, teacher }, shape);
    expect(seen.length).toBeGreaterThan(0);
    if (method.times === 1) expect(seen.every((same) => same)).toBe(true);
    else expect(seen.some((same) => !same)).toBe(true);
  });

  const y = input("y", { dtype: "int64", shape: [8] });
  const readings = readingsOf(trainedBy(settings), { network: F, y, guidance: 1, nullLabel: 4 });

  test("every sampler either fits or says what it lacks and which do fit", () => {
    for (const name of NAMES)
      try {
        planSampler(name, DEFAULT_OPTIONS, readings, kind);
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(UserError);
        expect((thrown as Error).message).toMatch(
          new RegExp(`^sampler ${name} needs .*; an? ${kind} model does not give it; samplers that fit: `),
        );
      }
  });

  test("the samplers it is measured with fit, and spend the evaluations they are chosen for", () => {
    for (const n of [1, 2, 4, 8])
      for (const { sampler, steps } of samplersAt(kind, n)) {
        const plan = planSampler(sampler, { ...DEFAULT_OPTIONS, steps }, readings, kind);
        const spent = [...plan.moves(1)].reduce((sum, { program }) => sum + plan.programs[program]!.evaluations, 0);
        expect(spent, `${sampler} ${steps}`).toBe(n);
      }
    for (const choice of [defaultSampler(kind), longestSampler(kind, 32)])
      if (choice) planSampler(choice.sampler, { ...DEFAULT_OPTIONS, steps: choice.steps }, readings, kind);
  });
});

const guided = (kind: MethodKind, nullLabel: number | undefined) => () =>
  readingsOf(trainedBy(settingsOf(kind)), {
    network: F,
    y: input("y", { dtype: "int64", shape: [8] }),
    guidance: 2,
    nullLabel,
  });

test.each([
  [
    "soflow",
    9,
    "guidance is 2; a soflow model is not guided while sampling but in training (objective.guidance): leave it out",
  ],
  ["improved-consistency", 9, "guidance is 2; a improved-consistency model is not guided while sampling: leave it out"],
  [
    "flow-matching",
    undefined,
    "guidance is 2; the model was trained without hiding labels (objective.labelDropout): leave it out",
  ],
] as const)("guidance while sampling that a %s model cannot have", (kind, nullLabel, message) => {
  expect(guided(kind, nullLabel)).toThrow(message);
});

test("MeanFlow's first samples take r = t, the others r ≤ t, under both samplers of times", () => {
  for (const sampler of ["ordered", "separate"]) {
    const { t, r } = openMethod(settingsOf("meanflow", `, times: { sampler: ${sampler} }`)).draws(
      batchOf(first),
      CONTEXT,
    );
    first.forEach((_, j) => {
      if (j < 6) expect(r![j]).toBe(t![j]);
      else expect(r![j]! < t![j]! || sampler === "separate").toBe(true);
      expect(Number(r![j])).toBeLessThanOrEqual(Number(t![j]));
    });
  }
});

test("MeanFlow with the derivative where it is needed has the same loss and gradient as on the whole batch", () => {
  const theta = float("theta", 1);
  const network: Network = (x, at, from) => x.mul(theta).mul(at).add(from.mul(x.square()));
  const guidance = ", guidance: { omega: 1.5, kappa: 0.3 }";
  const [whole, needed] = ["whole", "needed"].map((derivative) => {
    const method = openMethod(settingsOf("meanflow", `, derivative: ${derivative}${guidance}`));
    const { loss, report } = method.loss({ network, average: network, teacher: undefined }, shape);
    const [slope] = gradients(loss, [theta]);
    const feeds = Object.entries(method.draws(batchOf(first), CONTEXT)).map(([name, x]) => [
      name,
      Array.from(x, Number),
    ]);
    return referenceValues([loss, slope!, report.sum_squares!], { ...Object.fromEntries(feeds), theta: [0.7] });
  });
  for (const [i, [value]] of whole!.entries()) expect(needed![i]![0]! / value!).toBeCloseTo(1, 6);
});

test("pairs of noise levels are neighbours on a grid that grows through training", () => {
  const gap = (step: number) => {
    const { sigma, next } = openMethod(settingsOf("improved-consistency")).draws(batchOf(first), { ...CONTEXT, step });
    return Array.from(sigma as Float32Array, (s, j) => Math.log(s / Number(next![j])));
  };
  for (const value of [...gap(0), ...gap(99)]) expect(value).toBeGreaterThan(0);
  expect(Math.max(...gap(99))).toBeLessThan(Math.min(...gap(0)));
});
