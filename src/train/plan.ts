import type { TensorType } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";
import { defaultSampler, readingsOf } from "../methods/index.js";
import { lower } from "../onnx/index.js";
import { input } from "../ops/index.js";
import type { Executable, Runtime } from "../runtime/index.js";
import { DEFAULT_OPTIONS, type Plan, planSampler, type SamplerName, type SamplerOptions } from "../samplers/index.js";
import { type ModelDescription, openNetwork } from "./model.js";

/** How to draw: by default as the model's method is usually drawn from, without guidance. */
export type DrawOptions = Partial<SamplerOptions> & {
  /** Samples per network evaluation. */
  readonly batch: number;
  readonly sampler?: SamplerName;
  /** w of classifier-free guidance, for models that were trained without it. */
  readonly guidance?: number;
};

export const imageType = ({ network }: ModelDescription, batch: number): TensorType => ({
  dtype: "float32",
  shape: [batch, network.channels, network.imageSize, network.imageSize],
});

/** The plan of a model's sampler. Throws a `UserError` where sampler, guidance and model do not fit. */
export const planOf = (
  description: ModelDescription,
  y: Tensor,
  { batch: _, sampler, guidance = 1, ...given }: DrawOptions,
) => {
  const { network: config, method } = description;
  const { network } = openNetwork(config);
  const usual = defaultSampler(method.kind);
  const nullLabel = config.classes > 0 && config.nullLabel ? config.classes : undefined;
  const readings = readingsOf(method, { network, y, guidance, nullLabel });
  const name = sampler ?? usual.sampler;
  const steps = name === usual.sampler ? usual.steps : DEFAULT_OPTIONS.steps;
  const plan = planSampler(name, { ...DEFAULT_OPTIONS, steps, ...given }, readings, method.kind);
  return { plan, deviation: readings.deviation, perMove: guidance === 1 ? 1 : 2 };
};

/** One of a sampler's programs, ready to run. */
export type Compiled = {
  readonly executable: Executable;
  readonly numbers: readonly string[];
  readonly evaluations: number;
};

/** Compiles the programs of a plan; each maps x, fresh noise eps and its numbers to the next x. */
export const compilePlan = async (
  runtime: Runtime,
  programs: Plan["programs"],
  x: Tensor,
  eps: Tensor,
): Promise<Record<string, Compiled>> => {
  const time = { dtype: "float32", shape: [x.dim(0), 1, 1, 1] } as const;
  const compiled: Record<string, Compiled> = {};
  for (const [name, { numbers, step, evaluations }] of Object.entries(programs)) {
    const at = Object.fromEntries(numbers.map((number) => [number, input(number, time)]));
    const { x: next, error } = step(x, at, eps);
    const executable = await runtime.compile(lower(name, error ? { next, error } : { next }));
    compiled[name] = { executable, numbers, evaluations };
  }
  return compiled;
};
