import { readBytes } from "../../data/files.js";
import { UserError } from "../../errors.js";
import { readGraphConstants } from "../../formats/graphdef.js";
import { type Shape, sameShape } from "../../graph/dtype.js";
import { type Parameter, parameterInput } from "../../nn/index.js";
import { openCheckpoint } from "../import/file.js";
import { tensorflowName } from "./names.js";

/** ε of every batch norm of the network. */
const EPSILON = 1e-3;

type Stored = { readonly shape: Shape; readonly data: Float32Array };
/** A tensor of a file; its numbers are read when its shape is known to be right. */
type Found = { readonly shape: Shape; readonly read: () => Promise<Float32Array> };
/** A file of weights, whichever form it has. */
type Source = {
  /** A convolution's weight [O I h w], and the four vectors of its batch norm. */
  readonly unit: (name: string) => Record<"weight" | "scale" | "shift" | "mean" | "variance", Found | undefined>;
  /** What the file calls the parts of a unit, for errors. */
  readonly called: (name: string) => string;
  /** [classes features] */
  readonly classes: Found | undefined;
  readonly close: () => Promise<void>;
};

/** Bytes of the largest graph that is read; that of Inception has 96 million. */
const LARGEST_GRAPH = 2 ** 28;

/** Axes of a stored tensor in another order. */
const permuted = (x: Stored | undefined, order: readonly number[]): Found | undefined => {
  if (!x || x.shape.length !== order.length) return found(x);
  return { shape: order.map((axis) => x.shape[axis]!), read: async () => permute(x, order) };
};

const found = (x: Stored | undefined): Found | undefined => x && { shape: x.shape, read: async () => x.data };

const permute = (x: Stored, order: readonly number[]): Float32Array => {
  const shape = order.map((axis) => x.shape[axis]!);
  const strides = x.shape.map((_, axis) => x.shape.slice(axis + 1).reduce((n, d) => n * d, 1));
  const data = new Float32Array(x.data.length);
  const index = shape.map(() => 0);
  for (let i = 0; i < data.length; i++) {
    data[i] = x.data[order.reduce((at, axis, k) => at + index[k]! * strides[axis]!, 0)]!;
    for (let k = shape.length - 1; k >= 0 && ++index[k]! === shape[k]; k--) index[k] = 0;
  }
  return data;
};

/** TensorFlow's frozen graph: kernels [h w I O], classes [features classes]. */
const graphSource = async (path: string): Promise<Source> => {
  const constants = readGraphConstants(await readBytes(path, LARGEST_GRAPH), path);
  const called = (name: string): string => tensorflowName(name);
  return {
    called,
    unit: (name) => {
      const norm = (part: string) => found(constants.get(`${called(name)}/batchnorm/${part}`));
      return {
        weight: permuted(constants.get(`${called(name)}/conv2d_params`), [3, 2, 0, 1]),
        scale: norm("gamma"),
        shift: norm("beta"),
        mean: norm("moving_mean"),
        variance: norm("moving_variance"),
      };
    },
    classes: permuted(constants.get("softmax/weights"), [1, 0]),
    close: async () => {},
  };
};

/** The PyTorch port's state dict. */
const torchSource = async (path: string): Promise<Source> => {
  const { tensors, close } = await openCheckpoint(path);
  return {
    called: (name) => name,
    unit: (name) => ({
      weight: tensors.get(`${name}.conv.weight`),
      scale: tensors.get(`${name}.bn.weight`),
      shift: tensors.get(`${name}.bn.bias`),
      mean: tensors.get(`${name}.bn.running_mean`),
      variance: tensors.get(`${name}.bn.running_var`),
    }),
    classes: tensors.get("fc.weight"),
    close,
  };
};

/** W′ = W γ / √(σ² + ε) and b′ = β − μ γ / √(σ² + ε), in float64. */
export const foldBatchNorm = (unit: Record<"weight" | "scale" | "shift" | "mean" | "variance", Stored>) => {
  const channels = unit.shift.data.length;
  const each = unit.weight.data.length / channels;
  const [weight, bias] = [new Float32Array(unit.weight.data.length), new Float32Array(channels)];
  for (let o = 0; o < channels; o++) {
    const factor = unit.scale.data[o]! / Math.sqrt(unit.variance.data[o]! + EPSILON);
    bias[o] = unit.shift.data[o]! - unit.mean.data[o]! * factor;
    for (let i = o * each; i < (o + 1) * each; i++) weight[i] = unit.weight.data[i]! * factor;
  }
  return { weight, bias };
};

const isShape = (stored: Found | undefined, shape: Shape): boolean =>
  stored !== undefined && sameShape(stored.shape, shape);

/** The parts of one unit that are missing or misshapen, in words. */
const problemsOf = (source: Source, name: string, shape: Shape): string[] =>
  Object.entries(source.unit(name)).flatMap(([part, stored]) => {
    const wanted = part === "weight" ? shape : [shape[0]!];
    if (isShape(stored, wanted)) return [];
    return [
      `${source.called(name)} ${part} is ${stored ? `[${stored.shape.join(" ")}], not [${wanted.join(" ")}]` : "missing"}`,
    ];
  });

const unitOf = (weight: string): string => weight.slice(0, -".weight".length);

/** Lists what is missing or misshapen in one `UserError`, before any number is read. */
const requireFit = (source: Source, path: string, units: readonly Parameter[], classes: Parameter): void => {
  const problems = units.flatMap(({ name, tensor }) => problemsOf(source, unitOf(name), tensor.shape));
  if (!isShape(source.classes, classes.tensor.shape))
    problems.push("the weights of the classes are missing or misshapen");
  if (problems.length > 0)
    throw new UserError(
      `${path} does not hold the weights of Inception: ${problems.slice(0, 5).join("; ")}${problems.length > 5 ? `; and ${problems.length - 5} more` : ""}`,
    );
};

/** The parts of a unit, read one after another. */
const readUnit = async (source: Source, name: string): Promise<Parameters<typeof foldBatchNorm>[0]> => {
  const parts = source.unit(name);
  const read = async (part: keyof typeof parts): Promise<Stored> => ({
    shape: parts[part]!.shape,
    data: await parts[part]!.read(),
  });
  return {
    weight: await read("weight"),
    scale: await read("scale"),
    shift: await read("shift"),
    mean: await read("mean"),
    variance: await read("variance"),
  };
};

/**
 * The weights of Inception by parameter input, from the PyTorch port's `.pth` or TensorFlow's frozen graph `.pb`, each batch
 * norm folded into the convolution before it. What is missing or misshapen is listed together.
 */
export const readInceptionWeights = async (
  path: string,
  parameters: readonly Parameter[],
): Promise<Record<string, Float32Array<ArrayBuffer>>> => {
  const source = path.endsWith(".pb") ? await graphSource(path) : await torchSource(path);
  try {
    const units = parameters.filter(({ name }) => name.endsWith(".weight") && name !== "fc.weight");
    requireFit(source, path, units, parameters.find(({ name }) => name === "fc.weight")!);
    const classes = Float32Array.from(await source.classes!.read());
    const weights: Record<string, Float32Array<ArrayBuffer>> = { [parameterInput("fc.weight")]: classes };
    for (const { name } of units) {
      const unit = unitOf(name);
      const { weight, bias } = foldBatchNorm(await readUnit(source, unit));
      weights[parameterInput(`${unit}.weight`)] = weight;
      weights[parameterInput(`${unit}.bias`)] = bias;
    }
    return weights;
  } finally {
    await source.close();
  }
};
