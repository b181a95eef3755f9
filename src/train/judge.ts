import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { LIMITS } from "../checks/limits.js";
import { type Dataset, Loader } from "../data/index.js";
import { messageOf } from "../errors.js";
import { count } from "../fields.js";
import { readIfPresent } from "../files/index.js";
import { type ClassifierConfig, classifier } from "../models/classifier.js";
import { checkNetwork } from "../models/network.js";
import { type Parameter, parameterInput, Scope } from "../nn/index.js";
import { crossEntropy } from "../objectives/index.js";
import { lower } from "../onnx/index.js";
import { argmax, input } from "../ops/index.js";
import { adamw, learningRate } from "../optim/index.js";
import { key } from "../random/random.js";
import type { DeviceTensor, Executable, Runtime } from "../runtime/index.js";
import { writeFileAtomically } from "./files.js";
import { checkedJson } from "./readJson.js";
import { openSafetensors, writeSafetensors } from "./safetensorsFile.js";
import { TrainingStep } from "./step.js";

export type JudgeOptions = {
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly seed: number;
  /** Mirrors images in training. */
  readonly flip?: boolean;
  /** Sizes of the network; a small one of 16 tokens by default. */
  readonly network?: Pick<ClassifierConfig, "width" | "depth" | "heads" | "patch">;
  readonly onProgress?: (step: number, report: Readonly<Record<string, number>>) => void;
  /** When aborted, training throws its reason after the step in progress. */
  readonly signal?: AbortSignal;
};

/** What a judge says of images: the label it takes each for, and its features [N dimensions]. */
export type Judgement = { readonly labels: Int32Array; readonly features: Float32Array<ArrayBuffer> };

const BATCH = 128;

const build = (config: ClassifierConfig, batch: number) => {
  const scope = new Scope();
  const { channels, imageSize } = config;
  const x = input("x", { dtype: "float32", shape: [batch, channels, imageSize, imageSize] });
  const outputs = classifier(config)(scope, x);
  return { x, ...outputs, parameters: scope.parameters };
};

const configFor = ({ shape, classes }: Dataset, { network }: JudgeOptions): ClassifierConfig => {
  const { height: imageSize, channels } = shape;
  const sizes = network ?? { patch: imageSize / 4, width: 96, depth: 2, heads: 4 };
  return { imageSize, channels, ...sizes, classes: classes.length };
};

/** What `judge.json` holds. */
const classifierSchema = z
  .object({
    imageSize: count(1, LIMITS.imageSize),
    channels: count(1, LIMITS.channels),
    patch: count(1, LIMITS.imageSize),
    width: count(1, LIMITS.width),
    depth: count(1, LIMITS.depth),
    heads: count(1, LIMITS.heads),
    classes: count(1, LIMITS.classes),
  })
  .superRefine((config, context) => {
    try {
      checkNetwork({ ...config, nullLabel: false });
    } catch (thrown) {
      context.addIssue({ code: "custom", message: messageOf(thrown).replace(/\b(data|model)\./g, "") });
    }
  });

type Weights = Readonly<Record<string, Float32Array<ArrayBuffer>>>;

/** Trains with the engine's own step: cross-entropy, AdamW, cosine schedule. Returns the weights by name. */
const trainWeights = async (
  runtime: Runtime,
  dataset: Dataset,
  config: ClassifierConfig,
  { steps, batch, seed, flip = false, ...options }: JudgeOptions,
): Promise<Weights> => {
  const { scores, parameters } = build(config, batch);
  const rate = learningRate({
    schedule: "cosine",
    learningRate: options.learningRate,
    finalLearningRate: 0,
    warmupSteps: Math.ceil(steps / 20),
    steps,
  });
  const step = await TrainingStep.create(runtime, {
    loss: crossEntropy(scores, input("labels", { dtype: "int64", shape: [batch] })),
    parameters,
    transform: adamw({ beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.01, learningRate: rate }),
    averages: {},
    clipNorm: 1,
  });
  for (const { name, tensor, initialize } of parameters)
    await step.state.write(parameterInput(name), initialize(key(seed).fold("judge").fold(name), tensor.shape));
  const loader = new Loader(dataset, { seed, batch, startStep: 0, flip, onError: "stop" });
  for (let k = 0; k < steps; k++) {
    options.signal?.throwIfAborted();
    const { images, labels } = await loader.next();
    const report = await step.gradients({ x: images, labels });
    await step.update(k + 1);
    options.onProgress?.(k + 1, report);
  }
  const weights: Record<string, Float32Array<ArrayBuffer>> = {};
  for (const { name } of parameters)
    weights[name] = (await step.state.read(parameterInput(name))) as Float32Array<ArrayBuffer>;
  step.release();
  return weights;
};

/** A classifier trained on a dataset: it says how often images are recognised, and gives features to compare sets by. */
export class Judge {
  private constructor(
    private readonly config: ClassifierConfig,
    private readonly weights: Weights,
    private readonly parameters: readonly Parameter[],
    private readonly predict: Executable,
    private readonly tensors: Readonly<Record<"x" | "label" | "features", DeviceTensor>>,
    private readonly device: Readonly<Record<string, DeviceTensor>>,
  ) {}

  static async train(runtime: Runtime, dataset: Dataset, options: JudgeOptions): Promise<Judge> {
    const config = configFor(dataset, options);
    return Judge.open(runtime, config, await trainWeights(runtime, dataset, config, options));
  }

  private static async open(runtime: Runtime, config: ClassifierConfig, weights: Weights): Promise<Judge> {
    const { x, scores, features, parameters } = build(config, BATCH);
    const predict = await runtime.compile(lower("predict", { label: argmax(scores), features }));
    const tensors = {
      x: runtime.tensor(x.type),
      label: runtime.tensor({ dtype: "int64", shape: [BATCH] }),
      features: runtime.tensor(features.type),
    };
    const device: Record<string, DeviceTensor> = {};
    for (const { name, tensor } of parameters) {
      const own = runtime.tensor(tensor.type);
      await own.write(weights[name]!);
      device[parameterInput(name)] = own;
    }
    return new Judge(config, weights, parameters, predict, tensors, device);
  }

  /** Numbers in a feature. */
  get dimensions(): number {
    return this.config.width;
  }

  /** What images it takes. */
  get shape(): { readonly imageSize: number; readonly channels: number } {
    return this.config;
  }

  /** The first digits of the SHA-256 of all weights: two judges of one name are one judge. */
  get hash(): string {
    const hash = createHash("sha256");
    for (const { name } of this.parameters) hash.update(new Uint8Array(this.weights[name]!.buffer));
    return hash.digest("hex").slice(0, 8);
  }

  /** Labels and features of images [N C H W] in [−1, 1]. */
  async judge(images: Float32Array<ArrayBuffer>): Promise<Judgement> {
    const { channels, imageSize, width } = this.config;
    const size = channels * imageSize * imageSize;
    const count = images.length / size;
    const [labels, features] = [new Int32Array(count), new Float32Array(count * width)];
    for (let start = 0; start < count; start += BATCH) {
      const n = Math.min(BATCH, count - start);
      const part = new Float32Array(size * BATCH);
      part.set(images.subarray(start * size, (start + n) * size));
      const { x, label, features: found } = this.tensors;
      await x.write(part);
      await this.predict.run({ x, ...this.device }, { label, features: found });
      const named = (await label.read()) as BigInt64Array;
      for (let j = 0; j < n; j++) labels[start + j] = Number(named[j]);
      features.set(((await found.read()) as Float32Array).subarray(0, n * width), start * width);
    }
    return { labels, features };
  }

  /** The share of images that are recognised as their label.   images [N C H W] in [−1, 1] */
  async accuracy(images: Float32Array<ArrayBuffer>, labels: readonly number[]): Promise<number> {
    return shareCorrect((await this.judge(images)).labels, labels);
  }

  /** Writes judge.json and judge.safetensors. */
  async save(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true });
    const tensors = this.parameters.map(({ name, tensor: { shape } }) => ({
      name,
      shape,
      read: async () => this.weights[name]!,
    }));
    await writeSafetensors(judgePaths(folder).weights, tensors, { format: "pt" });
    await writeFileAtomically(judgePaths(folder).config, `${JSON.stringify(this.config, null, 2)}\n`);
  }

  /** Opens what `save` wrote; undefined where there is nothing. */
  static async load(runtime: Runtime, folder: string): Promise<Judge | undefined> {
    const text = await readIfPresent(judgePaths(folder).config);
    if (text === undefined) return undefined;
    const config = checkedJson(classifierSchema, judgePaths(folder).config, text);
    const file = await openSafetensors(judgePaths(folder).weights);
    const weights: Record<string, Float32Array<ArrayBuffer>> = {};
    for (const { name } of build(config, 1).parameters) weights[name] = await file.read(name);
    await file.close();
    return Judge.open(runtime, config, weights);
  }

  release(): void {
    this.predict.release();
    for (const tensor of [...Object.values(this.tensors), ...Object.values(this.device)]) tensor.dispose();
  }
}

const judgePaths = (folder: string) => ({
  config: join(folder, "judge.json"),
  weights: join(folder, "judge.safetensors"),
});

/** The share of places where two lists of labels agree. */
export const shareCorrect = (found: ArrayLike<number>, wanted: readonly number[]): number =>
  wanted.reduce((sum, label, i) => sum + Number(found[i] === label), 0) / wanted.length;

/** `count` samples of a dataset in random order; `part` 1 is the next `count` after those of part 0. */
export const takeSamples = async (dataset: Dataset, count: number, part = 0) => {
  const order = { seed: 0, batch: count, startStep: part, flip: false, onError: "stop", ahead: 0 } as const;
  const { images, labels } = await new Loader(dataset, order).next();
  return { images, labels: Array.from(labels, Number) };
};
