import { gradients } from "../autodiff/index.js";
import type { HostArray } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";
import { meanFlow } from "../objectives/meanflow.js";
import { lower } from "../onnx/index.js";
import { full, input, where } from "../ops/index.js";
import { globalNorm } from "../optim/index.js";
import { PATHS } from "../paths/index.js";
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
  omega: number;
  kappa: number;
  t_start: number;
  t_end: number;
  p: number;
  eps: number;
  labels: boolean;
  loss: number;
  sum_squares: number[];
  grad_norm: number;
};

const buildCase = (setting: Case, batch: number) => {
  const { network, parameters } = openNetwork(TINY);
  const float = (name: string, shape: readonly number[]): Tensor => input(name, { dtype: "float32", shape });
  const image = [batch, TINY.channels, TINY.imageSize, TINY.imageSize];
  const labels = input("labels", { dtype: "int64", shape: [batch] });
  const none = full(TINY.classes, labels.type);
  const dropped = input("dropped", { dtype: "bool", shape: [batch] });
  const { omega, kappa, t_start, t_end } = setting;
  const result = meanFlow({
    network,
    path: PATHS.linear,
    weight: { power: setting.p, epsilon: setting.eps },
    guidance: { omega, kappa, interval: [t_start, t_end] },
    nullLabel: TINY.classes,
  })({
    x_0: float("x_0", image),
    eps: float("eps", image),
    labels: setting.labels ? where(dropped, none, labels) : none,
    original: setting.labels ? labels : none,
    t: float("t", [batch, 1, 1, 1]),
    r: float("r", [batch, 1, 1, 1]),
  });
  const slopes = gradients(
    result.loss,
    parameters.map(({ tensor }) => tensor),
  );
  const named = parameters.map(({ name }, i) => [`grad.${name}`, slopes[i]!] as const);
  const { loss, u, du_dt: dudt, target, error } = result;
  return {
    parameters,
    image,
    outputs: { loss, u, dudt, target, error, grad_norm: globalNorm(slopes), ...Object.fromEntries(named) },
  };
};

const checkCase = async (fixture: Fixture, runtime: Runtime, setting: Case, index: number): Promise<Check[]> => {
  const { parameters, image, outputs } = buildCase(setting, labelsOf(fixture, "labels").length);
  const program = lower(`meanflow_losses.${index}`, outputs);
  const all: Record<string, HostArray> = {
    ...filledParameters(fixture, parameters),
    x_0: filled(fixture, "data.x0", image),
    eps: filled(fixture, "noise.velocity", image),
    t: float32Of(fixture, "t"),
    r: float32Of(fixture, "r"),
    labels: labelsOf(fixture, "labels"),
    dropped: Uint8Array.from(numbersOf(fixture, "drop_mask")),
  };
  const feeds = Object.fromEntries(Object.entries(all).filter(([name]) => name in program.inputs));
  const got = await evaluate(runtime, program, feeds);
  const prefix = `case${index}.`;
  const tensors = [...fixture.tensors.keys()].filter((name) => name.startsWith(prefix));
  return [
    { name: `case ${index} loss`, error: relative(Number(got.loss![0]), setting.loss), tolerance: 1e-5 },
    {
      name: `case ${index} sum of squares`,
      error: relativeToLargest(got.error!, setting.sum_squares),
      tolerance: 1e-4,
    },
    { name: `case ${index} grad_norm`, error: relative(Number(got.grad_norm![0]), setting.grad_norm), tolerance: 1e-3 },
    ...tensors.map((name) => {
      const output = got[name.slice(prefix.length)] ?? [];
      const gradient = name.includes(".grad.");
      const measure = gradient ? relativeInNorm : relativeToLargest;
      return { name, error: measure(output, float32Of(fixture, name)), tolerance: gradient ? 1e-3 : 1e-4 };
    }),
  ];
};

/** MeanFlow with its exact derivative in every guidance setting of the fixture: u, du/dt, target, losses, gradients. */
export const meanflowLosses = async (fixture: Fixture, runtime: Runtime): Promise<Check[]> => {
  const checks: Check[] = [];
  for (const [i, setting] of json<Case[]>(fixture, "cases").entries())
    checks.push(...(await checkCase(fixture, runtime, setting, i)));
  return checks;
};
