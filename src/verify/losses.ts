import { gradients } from "../autodiff/index.js";
import type { HostArray } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";
import { consistencyLoss, middleTimes, velocityLoss } from "../objectives/index.js";
import { lower } from "../onnx/index.js";
import { full, input, where } from "../ops/index.js";
import { globalNorm } from "../optim/index.js";
import { middleRatio, PARAMETERISATIONS, PATHS } from "../paths/index.js";
import { evaluate, type Runtime } from "../runtime/index.js";
import { openNetwork } from "../train/model.js";
import {
  type Check,
  type Fixture,
  filled,
  filledParameters,
  float32Of,
  json,
  labelsOf,
  numbersOf,
  relative,
  relativeInNorm,
  relativeToLargest,
} from "./fixture.js";
import { TINY } from "./networks.js";

type Case = {
  noising: "Linear" | "Trig";
  coefficient: "Euler" | "Trig";
  cfg_scale: number;
  mix_ratio: number;
  cfg_decay_time: number;
  p: number;
  eps: number;
  labels: boolean;
} & Record<(typeof REPORTED)[number], number>;

const REPORTED = [
  "velocity_loss",
  "velocity_mse",
  "velocity_weight",
  "consistency_loss",
  "consistency_mse",
  "consistency_weight",
  "loss",
  "grad_norm",
] as const;

const MIDDLE = { schedule: "exponent", initial: 0.1, final: 0.002 } as const;
const VELOCITY_SHARE = 0.75;

/** Both losses of the fixture's setting as one program, with all gradients. */
const buildCase = (setting: Case, batch: number) => {
  const { network: F, parameters } = openNetwork(TINY);
  const float = (name: string, shape: readonly number[]): Tensor => input(name, { dtype: "float32", shape });
  const image = [batch, TINY.channels, TINY.imageSize, TINY.imageSize];
  const x_0 = float("x_0", image);
  const labels = input("labels", { dtype: "int64", shape: [batch] });
  const none = full(TINY.classes, labels.type);
  const original = setting.labels ? labels : none;
  // The official code drops labels only where it guides: with ω = 1 every label is used.
  const drops = setting.labels && setting.cfg_scale > 1;
  const trained = drops ? where(input("dropped", { dtype: "bool", shape: [batch] }), none, labels) : original;
  const options = {
    network: F,
    path: PATHS[setting.noising.toLowerCase() as keyof typeof PATHS],
    coefficients: PARAMETERISATIONS[setting.coefficient.toLowerCase() as keyof typeof PARAMETERISATIONS],
    weight: { power: setting.p, epsilon: setting.eps },
    guidance: { scale: setting.cfg_scale, mix: setting.mix_ratio, decayTime: setting.cfg_decay_time },
    nullLabel: TINY.classes,
  };
  const times = {
    time1: float("time1", [batch, 1, 1, 1]),
    time2: float("time2", [batch, 1, 1, 1]),
    ratio: float("ratio", []),
  };
  const samples = { x_0, labels: trained, original };
  const v = velocityLoss(options)({ ...samples, eps: float("eps_v", image), t: float("t", [batch, 1, 1, 1]) });
  const c = consistencyLoss(options)({ ...samples, eps: float("eps_c", image), ...times });
  const loss = v.loss.mul(VELOCITY_SHARE).add(c.loss.mul(1 - VELOCITY_SHARE));
  const slopes = gradients(
    loss,
    parameters.map(({ tensor }) => tensor),
  );
  const outputs: Record<string, Tensor> = {
    velocity_loss: v.loss,
    velocity_mse: v.report.mse!,
    velocity_weight: v.report.weight!,
    consistency_loss: c.loss,
    consistency_mse: c.report.mse!,
    consistency_weight: c.report.weight!,
    loss,
    grad_norm: globalNorm(slopes),
    l: middleTimes(times.time1, times.time2, times.ratio).l,
  };
  parameters.forEach(({ name }, i) => {
    outputs[`grad.${name}`] = slopes[i]!;
  });
  return { parameters, outputs, image };
};

const only = (feeds: Record<string, HostArray>, wanted: object): Record<string, HostArray> =>
  Object.fromEntries(Object.entries(feeds).filter(([name]) => name in wanted));

const checkCase = async (fixture: Fixture, runtime: Runtime, setting: Case, index: number): Promise<Check[]> => {
  const batch = labelsOf(fixture, "labels").length;
  const { parameters, outputs, image } = buildCase(setting, batch);
  const program = lower(`soflow_losses.${index}`, outputs);
  const feeds: Record<string, HostArray> = {
    ...filledParameters(fixture, parameters),
    x_0: filled(fixture, "data.x0", image),
    eps_v: filled(fixture, "noise.velocity", image),
    eps_c: filled(fixture, "noise.consistency", image),
    t: float32Of(fixture, "t_velocity"),
    time1: float32Of(fixture, "s_consistency"),
    time2: float32Of(fixture, "t_consistency"),
    ratio: Float32Array.of(middleRatio(MIDDLE, 2500, 10000)),
    labels: labelsOf(fixture, "labels"),
    dropped: Uint8Array.from(numbersOf(fixture, "cfg_mask")),
  };
  const got = await evaluate(runtime, program, only(feeds, program.inputs));
  const scalars = REPORTED.map((name) => ({
    name: `case ${index} ${name}`,
    error: relative(Number(got[name]![0]), setting[name]),
    tolerance: name === "grad_norm" ? 1e-3 : 1e-5,
  }));
  const l = {
    name: `case ${index} l`,
    error: relativeToLargest(got.l!, float32Of(fixture, `case${index}.l`)),
    tolerance: 1e-5,
  };
  const prefix = `case${index}.grad.`;
  const slopes = [...fixture.tensors.keys()]
    .filter((name) => name.startsWith(prefix))
    .map((name) => ({
      name: `case ${index} gradient of ${name.slice(prefix.length)}`,
      error: relativeInNorm(got[`grad.${name.slice(prefix.length)}`] ?? [], float32Of(fixture, name)),
      tolerance: 1e-3,
    }));
  return [...scalars, l, ...slopes];
};

/** Velocity and consistency losses, weights, errors and gradients in every setting of the fixture. */
export const soflowLosses = async (fixture: Fixture, runtime: Runtime): Promise<Check[]> => {
  const checks: Check[] = [];
  for (const [i, setting] of json<Case[]>(fixture, "cases").entries())
    checks.push(...(await checkCase(fixture, runtime, setting, i)));
  return checks;
};
