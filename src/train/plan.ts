import type { HostArray, TensorType } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";
import { methodOf, outputsOf } from "../methods/index.js";
import { parameterInput } from "../nn/index.js";
import { type Arrival, cut, fuseAttention, lower, quantise } from "../onnx/index.js";
import { full, input } from "../ops/index.js";
import type { Executable, Runtime } from "../runtime/index.js";
import { DEFAULT_OPTIONS, type Plan, planSampler, type SamplerName, type SamplerOptions } from "../samplers/index.js";
import { Conditions, hasRows } from "./conditions.js";
import { type ModelDescription, openNetwork } from "./model.js";

/** What large products are computed in. */
export const PRECISIONS = ["float32", "int8"] as const;
export type Precision = (typeof PRECISIONS)[number];

/** How to draw: by default as the model's method is usually drawn from, without guidance. */
export type DrawOptions = Partial<SamplerOptions> & {
  /** Samples per network evaluation. */
  readonly batch: number;
  readonly sampler?: SamplerName;
  /** int8: large weights in 8 bits and products of whole numbers, about twice as fast on large models and 1 % off. */
  readonly precision?: Precision;
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
  { batch: _, precision: __, sampler, guidance = 1, ...given }: DrawOptions,
) => {
  const { network: config, method } = description;
  const { network } = openNetwork(config);
  const usual = methodOf(method.kind).samplers.usual;
  const c_null = config.classes > 0 && config.nullLabel ? { label: full(config.classes, y.type) } : undefined;
  const readings = outputsOf(method, { network, c: { label: y }, guidance, c_null });
  const name = sampler ?? usual.sampler;
  const steps = name === usual.sampler ? usual.steps : DEFAULT_OPTIONS.steps;
  const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const plan = planSampler(name, { ...DEFAULT_OPTIONS, steps, ...said }, readings, method.kind);
  return { plan, deviation: readings.deviation, perMove: guidance === 1 ? 1 : 2 };
};

/** One of a sampler's programs, ready to run. */
export type Compiled = {
  readonly executable: Executable;
  readonly numbers: readonly string[];
  readonly evaluations: number;
  /** What the program takes of labels and times, where that is computed apart. */
  readonly conditions?: Conditions;
};

/** The images that are worked on arrive late; labels and times can be had before, weights before those. */
const arrivalOf = (name: string): Arrival => {
  if (name.startsWith(parameterInput(""))) return "fixed";
  return name === "x" || name === "eps" ? "late" : "early";
};

const compileCut = async (
  runtime: Runtime,
  name: string,
  outputs: Readonly<Record<string, Tensor>>,
  { batch, fixed, precision }: { batch: number; fixed: Fixed; precision: Precision },
): Promise<Pick<Compiled, "executable" | "conditions">> => {
  const compile = (part: Readonly<Record<string, Tensor>>) => {
    const ready = precision === "int8" ? quantise(part, fixed, 8) : fuseAttention(part, fixed);
    return runtime.compile(lower(name, ready.outputs, ready));
  };
  const { early, late } = cut(outputs, arrivalOf);
  const types = Object.fromEntries(Object.entries(early).map(([key, { type }]) => [key, type]));
  if (Object.keys(early).length === 0 || !hasRows(types, batch)) return { executable: await compile(outputs) };
  const before = await runtime.compile(lower(`${name}.early`, early, { given: fixed }));
  try {
    return { executable: await compile(late), conditions: new Conditions(runtime, before, batch) };
  } catch (thrown) {
    before.release();
    throw thrown;
  }
};

/** Frees programs and what they hold. */
export const releaseAll = (compiled: Readonly<Record<string, Compiled>>): void => {
  for (const { executable, conditions } of Object.values(compiled)) {
    executable.release();
    conditions?.release();
  }
};

/** Weights by parameter input that never change: they become part of the programs. */
export type Fixed = Readonly<Record<string, HostArray>>;

/** Compiles the programs of a plan, all or none; each maps x, fresh noise eps and its numbers to the next x. */
export const compilePlan = async (
  runtime: Runtime,
  programs: Plan["programs"],
  { x, eps, ...weights }: { x: Tensor; eps: Tensor; fixed: Fixed; precision: Precision },
): Promise<Record<string, Compiled>> => {
  const batch = x.dim(0);
  const time = { dtype: "float32", shape: [batch, 1, 1, 1] } as const;
  const compiled: Record<string, Compiled> = {};
  const compile = async ([name, { numbers, step, evaluations }]: [string, Plan["programs"][string]]): Promise<void> => {
    const at = Object.fromEntries(numbers.map((number) => [number, input(number, time)]));
    const { x: next, error } = step(x, at, eps);
    const outputs: Record<string, Tensor> = error ? { next, error } : { next };
    compiled[name] = { ...(await compileCut(runtime, name, outputs, { batch, ...weights })), numbers, evaluations };
  };
  try {
    for (const program of Object.entries(programs)) await compile(program);
    return compiled;
  } catch (thrown) {
    releaseAll(compiled);
    throw thrown;
  }
};
