import { gradients } from "../autodiff/index.js";
import type { HostArray } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";
import { alphaBars, ddpm } from "../objectives/diffusion.js";
import { flowMatching } from "../objectives/flow-matching.js";
import type { Loss } from "../objectives/index.js";
import { lower } from "../onnx/index.js";
import { full, input, scalar } from "../ops/index.js";
import { globalNorm } from "../optim/index.js";
import { type Conditions, type OneTimeNetwork, PATHS, oneTime as withOneTime } from "../paths/index.js";
import { evaluate, type Runtime } from "../runtime/index.js";
import { ddimStep } from "../samplers/ddim.js";
import { openNetwork } from "../train/model.js";
import {
  type Check,
  type Fixture,
  filled,
  filledParameters,
  float32Of,
  labelsOf,
  numbersOf,
  relative,
  relativeInNorm,
  relativeToLargest,
} from "./fixture.js";
import { TINY } from "./networks.js";

export const float = (name: string, shape: readonly number[]): Tensor => input(name, { dtype: "float32", shape });

/** The single-time network and the inputs that these fixtures share. */
export const setUp = (fixture: Fixture) => {
  const labels = labelsOf(fixture, "labels_after_dropout");
  const batch = labels.length;
  const image = [batch, TINY.channels, TINY.imageSize, TINY.imageSize];
  const { network, parameters } = openNetwork({ ...TINY, times: 1 });
  const oneTime = withOneTime(network);
  const inputs = {
    x_0: float("x_0", image),
    eps: float("eps", image),
    c: { label: input("labels", { dtype: "int64", shape: [batch] }) },
  };
  const feeds: Record<string, HostArray> = {
    ...filledParameters(fixture, parameters),
    x_0: filled(fixture, "data.x0", image),
    eps: filled(fixture, "noise.velocity", image),
    labels,
  };
  return { batch, image, oneTime, parameters, inputs, feeds };
};

const compare = async (
  fixture: Fixture,
  runtime: Runtime,
  { loss, prediction }: Loss & { readonly prediction: Tensor },
  { parameters, feeds }: Pick<ReturnType<typeof setUp>, "parameters" | "feeds">,
): Promise<Check[]> => {
  const slopes = gradients(
    loss,
    parameters.map(({ tensor }) => tensor),
  );
  const named = parameters.map(({ name }, i) => [`grad.${name}`, slopes[i]!] as const);
  const outputs = { loss, prediction, grad_norm: globalNorm(slopes), ...Object.fromEntries(named) };
  const got = await evaluate(runtime, lower(fixture.name, outputs), feeds);
  const scalars = (["loss", "grad_norm"] as const).map((name) => ({
    name,
    error: relative(Number(got[name]![0]), Number(fixture.metadata[name])),
    tolerance: name === "loss" ? 1e-5 : 1e-3,
  }));
  const tensors = [...fixture.tensors.keys()].filter((name) => name.startsWith("grad."));
  return [
    ...scalars,
    {
      name: "prediction",
      error: relativeToLargest(got.prediction!, float32Of(fixture, "prediction")),
      tolerance: 1e-4,
    },
    ...tensors.map((name) => ({
      name,
      error: relativeInNorm(got[name] ?? [], float32Of(fixture, name)),
      tolerance: 1e-3,
    })),
  ];
};

/** Flow matching on the linear path: prediction, loss and all gradients. */
export const flowMatchingLoss = async (fixture: Fixture, runtime: Runtime): Promise<Check[]> => {
  const { batch, oneTime, inputs, feeds, parameters } = setUp(fixture);
  const t = float("t", [batch, 1, 1, 1]);
  const result = flowMatching({ network: oneTime, path: PATHS.linear })({ ...inputs, t });
  return compare(fixture, runtime, result, { parameters, feeds: { ...feeds, t: float32Of(fixture, "t") } });
};

const DDIM_STEPS = Array.from({ length: 10 }, (_, i) => 900 - 100 * i);

/** Ten DDIM steps from the noise tensor, as one program. */
const ddimSamples = (oneTime: OneTimeNetwork, eps: Tensor, c: Conditions): Tensor => {
  const bars = alphaBars();
  const time = { dtype: "float32", shape: [eps.dim(0), 1, 1, 1] } as const;
  return DDIM_STEPS.reduce((x, step, i) => {
    const next = DDIM_STEPS[i + 1];
    return ddimStep(
      x,
      oneTime(x, full(step, time), c),
      scalar(bars[step]!),
      scalar(next === undefined ? 1 : bars[next]!),
    );
  }, eps);
};

/** DDPM: ᾱ, prediction, loss and all gradients; ten DDIM steps from the noise tensor. */
export const ddpmLoss = async (fixture: Fixture, runtime: Runtime): Promise<Check[]> => {
  const { batch, oneTime, inputs, feeds, parameters } = setUp(fixture);
  const [step, alphaBar] = [float("step", [batch, 1, 1, 1]), float("alphaBar", [batch, 1, 1, 1])];
  const steps = numbersOf(fixture, "timestep");
  const bars = alphaBars();
  const own = steps.map((i) => bars[i]!);
  const result = ddpm({ network: oneTime })({ ...inputs, step, alphaBar });
  const all = { ...feeds, step: Float32Array.from(steps), alphaBar: Float32Array.from(own) };
  const checks = await compare(fixture, runtime, result, { parameters, feeds: all });
  const { x_0: _, ...rest } = feeds;
  const ddim = await evaluate(runtime, lower("ddim", { x: ddimSamples(oneTime, inputs.eps, inputs.c) }), rest);
  return [
    { name: "alpha_bar", error: relativeToLargest(own, numbersOf(fixture, "alpha_bar")), tolerance: 1e-6 },
    ...checks,
    { name: "ddim10", error: relativeToLargest(ddim.x!, float32Of(fixture, "ddim10")), tolerance: 5e-4 },
  ];
};
