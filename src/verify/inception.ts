import type { HostArray, Shape } from "../graph/dtype.js";
import { inception } from "../models/inception.js";
import { type Parameter, parameterInput, Scope } from "../nn/index.js";
import { lower } from "../onnx/index.js";
import { input, softmax } from "../ops/index.js";
import type { Runtime } from "../runtime/index.js";
import { inceptionInput } from "../train/inception/extractor.js";
import { foldBatchNorm } from "../train/inception/weights.js";
import { fill } from "./fill.js";
import { type Check, type Fixture, float32Of, json, numbersOf, relative, relativeToLargest } from "./fixture.js";

type Setting = { count: number; first: number; side: number; stride: number; blocks: readonly string[] };

const BATCH = 8;
const TOLERANCE = 1e-4;

const fanIn = (shape: Shape): number => shape.slice(1).reduce((n, d) => n * d, 1);
const around1 = (name: string, shape: Shape, scale: number) => fill(name, shape, scale).map((value) => 1 + value);

/** The weights that scripts/fixtures/inception.py fills, under the port's names, with batch norms folded in. */
const filledWeights = (parameters: readonly Parameter[]): Record<string, HostArray> => {
  const weights: Record<string, HostArray> = {};
  for (const {
    name,
    tensor: { shape },
  } of parameters) {
    const scale = Math.sqrt(6 / fanIn(shape));
    if (name === "fc.weight") weights[parameterInput(name)] = fill(name, shape, scale);
    if (name === "fc.weight" || !name.endsWith(".weight")) continue;
    const unit = name.slice(0, -".weight".length);
    const vector = [shape[0]!];
    const { weight, bias } = foldBatchNorm({
      weight: { shape, data: fill(`${unit}.conv.weight`, shape, scale) },
      scale: { shape: vector, data: around1(`${unit}.bn.weight`, vector, 0.1) },
      shift: { shape: vector, data: fill(`${unit}.bn.bias`, vector, 0.1) },
      mean: { shape: vector, data: fill(`${unit}.bn.running_mean`, vector, 0.1) },
      variance: { shape: vector, data: around1(`${unit}.bn.running_var`, vector, 0.3) },
    });
    weights[parameterInput(`${unit}.weight`)] = weight;
    weights[parameterInput(`${unit}.bias`)] = bias;
  }
  return weights;
};

const norm = (values: Float32Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

/** Blocks and features of the first images: every stride-th number, and the norm of each block. */
const firstImages = (
  fixture: Fixture,
  { first, stride, blocks }: Setting,
  results: Readonly<Record<string, Float32Array>>,
) => {
  const head = (name: string): Float32Array => results[name]!.subarray(0, (results[name]!.length / BATCH) * first);
  const features = ["pool", "spatial", "probabilities"].map((name) => ({
    name,
    error: relativeToLargest(head(name), float32Of(fixture, name)),
    tolerance: TOLERANCE,
  }));
  const inside = blocks.flatMap((name) => {
    const got = head(name);
    const sampled = got.filter((_, i) => i % stride === 0);
    return [
      { name, error: relativeToLargest(sampled, float32Of(fixture, name)), tolerance: TOLERANCE },
      {
        name: `${name}.norm`,
        error: relative(norm(got), numbersOf(fixture, `${name}.norm`)[0]!),
        tolerance: TOLERANCE,
      },
    ];
  });
  return [...features, ...inside];
};

/** Inception with filled weights against the public PyTorch port: every block of two images, the features of all 256. */
export const inceptionFeatures = async (fixture: Fixture, runtime: Runtime): Promise<Check[]> => {
  const setting = json<Setting>(fixture, "model");
  const { count, side } = setting;
  const pixels = 3 * side * side;
  const images = fill("inception.images", [count, 3, side, side], 1).map((value) => Math.floor((value + 1) * 127.5));
  const scope = new Scope();
  const x = input("x", { dtype: "float32", shape: [BATCH, 3, side, side] });
  const { pool, spatial, scores, blocks } = inception(scope, inceptionInput(x));
  const outputs = { ...blocks, pool, spatial, probabilities: softmax(scores) };
  const executable = await runtime.compile(lower("inception", outputs, { given: filledWeights(scope.parameters) }));
  const feed = runtime.tensor(x.type);
  const tensors = Object.fromEntries(Object.entries(outputs).map(([name, { type }]) => [name, runtime.tensor(type)]));
  const checks: Check[] = [];
  const norms: number[] = [];
  for (let start = 0; start < count; start += BATCH) {
    await feed.write(images.slice(start * pixels, (start + BATCH) * pixels));
    await executable.run({ x: feed }, tensors);
    const features = (await tensors.pool!.read()) as Float32Array;
    for (let i = 0; i < BATCH; i++) norms.push(norm(features.subarray(i * pool.dim(1), (i + 1) * pool.dim(1))));
    if (start > 0) continue;
    const read = Object.entries(tensors).map(
      async ([name, tensor]) => [name, (await tensor.read()) as Float32Array] as const,
    );
    checks.push(...firstImages(fixture, setting, Object.fromEntries(await Promise.all(read))));
  }
  executable.release();
  for (const tensor of [feed, ...Object.values(tensors)]) tensor.dispose();
  const worst = numbersOf(fixture, "norms").reduce((most, wanted, i) => Math.max(most, relative(norms[i]!, wanted)), 0);
  return [...checks, { name: `features of ${count} images`, error: worst, tolerance: TOLERANCE }];
};
