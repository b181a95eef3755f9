import { gradients } from "../autodiff/index.js";
import type { HostArray } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";
import { alphaFlow, alphaFlowVelocity } from "../methods/alpha-flow.js";
import { labeled, partOf } from "../methods/index.js";
import { lower } from "../onnx/index.js";
import { concat, full, input, scalar, where } from "../ops/index.js";
import { globalNorm } from "../optim/index.js";
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

type Case = Record<
  | "alpha"
  | "omega"
  | "kappa"
  | "t_min"
  | "t_max"
  | "rho"
  | "eps"
  | "clip"
  | "input_scale"
  | "loss"
  | "grad_norm"
  | "trajectory_fm"
  | "trajectory_consistency",
  number
> & { losses: number[]; weights: number[] };

const WHOLE = ["u", "target", "v_g", "losses", "weights"] as const;

/** Both groups of the batch, the first n samples with r = t, as one program with all gradients. */
const buildCase = (setting: Case, batch: number) => {
  const { network, parameters } = openNetwork(TINY);
  const float = (name: string, shape: readonly number[]): Tensor => input(name, { dtype: "float32", shape });
  const image = [batch, TINY.channels, TINY.imageSize, TINY.imageSize];
  const given = input("labels", { dtype: "int64", shape: [batch] });
  const label = where(input("dropped", { dtype: "bool", shape: [batch] }), full(TINY.classes, given.type), given);
  const draws = {
    x_0: float("x_0", image),
    eps: float("eps", image),
    ...labeled({ label, given }, TINY.classes, image.length),
    t: float("t", [batch, 1, 1, 1]),
    r: float("r", [batch, 1, 1, 1]),
  };
  const { alpha, omega, kappa, t_min, t_max, eps: epsilon, clip } = setting;
  const options = { network, guidance: { omega, kappa, interval: [t_min, t_max] as const }, epsilon, clip };
  const n = Math.floor(setting.rho * batch);
  const first = alphaFlowVelocity(options)(partOf(draws, 0, n));
  const rest = alphaFlow(options)(partOf(draws, n, batch), alpha === 0 ? 0 : scalar(alpha));
  const both = (a: Tensor, b: Tensor): Tensor => a.mul(n / batch).add(b.mul(1 - n / batch));
  const loss = both(first.loss, rest.loss);
  const found = gradients(
    loss,
    parameters.map(({ tensor }) => tensor),
  );
  const whole = WHOLE.map((name) => {
    const rows = name === "weights" ? first.weights.mul(first.losses.mul(0).add(1)) : first[name];
    return [name, concat([rows, rest[name]], { axis: 0 })] as const;
  });
  const outputs: Record<string, Tensor> = {
    loss,
    grad_norm: globalNorm(found),
    trajectory_fm: both(first.report.flow_matching, rest.report.flow_matching),
    trajectory_consistency: both(first.report.consistency, rest.report.consistency),
    ...Object.fromEntries(whole),
    ...Object.fromEntries(parameters.map(({ name }, i) => [`grad.${name}`, found[i] as Tensor])),
  };
  return { parameters, outputs, image };
};

const checkCase = async (fixture: Fixture, runtime: Runtime, setting: Case, index: number): Promise<Check[]> => {
  const { parameters, outputs, image } = buildCase(setting, labelsOf(fixture, "labels").length);
  const program = lower(`alphaflow.${index}`, outputs);
  const scaled = (name: string) => filled(fixture, name, image).map((value) => value * setting.input_scale);
  const feeds: Record<string, HostArray> = {
    ...filledParameters(fixture, parameters),
    x_0: scaled("data.x0"),
    eps: scaled("noise.velocity"),
    t: float32Of(fixture, "t"),
    r: float32Of(fixture, "r"),
    labels: labelsOf(fixture, "labels"),
    dropped: Uint8Array.from(numbersOf(fixture, "drop_mask")),
  };
  const got = await evaluate(runtime, program, feeds);
  const number = (name: string): number => Number(got[name]?.[0]);
  const prefix = `case${index}.`;
  const tensors = [...fixture.tensors.keys()].filter((name) => name.startsWith(prefix));
  const check = (name: string, error: number, tolerance: number): Check => ({
    name: `case ${index} ${name}`,
    error,
    tolerance,
  });
  const { trajectory_fm: scale, trajectory_consistency: consistency } = setting;
  return [
    check("loss", relative(number("loss"), setting.loss), 1e-5),
    check("grad_norm", relative(number("grad_norm"), setting.grad_norm), 1e-3),
    check("losses", relativeToLargest(got.losses ?? [], setting.losses), 1e-4),
    check("weights", relativeToLargest(got.weights ?? [], setting.weights), 1e-4),
    check("trajectory_fm", relative(number("trajectory_fm"), scale), 1e-5),
    check("trajectory_consistency", Math.abs(number("trajectory_consistency") - consistency) / scale, 1e-5),
    ...tensors.map((name) => {
      const output = got[name.slice(prefix.length)] ?? [];
      const [measure, tolerance] = name.includes(".grad.") ? [relativeInNorm, 1e-3] : [relativeToLargest, 1e-4];
      return { name, error: measure(output, float32Of(fixture, name)), tolerance };
    }),
  ];
};

/** α-Flow in every setting of the fixture: α from 1 to 0, guided, inside an interval, clipped. */
export const alphaFlowLosses = async (fixture: Fixture, runtime: Runtime): Promise<Check[]> => {
  const checks: Check[] = [];
  for (const [i, setting] of json<Case[]>(fixture, "cases").entries())
    checks.push(...(await checkCase(fixture, runtime, setting, i)));
  return checks;
};
