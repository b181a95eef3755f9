import { type Dataset, Loader } from "../data/index.js";
import { type ClassifierConfig, classifier } from "../models/classifier.js";
import { parameterInput, Scope } from "../nn/index.js";
import { crossEntropy } from "../objectives/index.js";
import { lower } from "../onnx/index.js";
import { argmax, input } from "../ops/index.js";
import { adamw, learningRate } from "../optim/index.js";
import { key } from "../random/random.js";
import type { DeviceTensor, Executable, Runtime } from "../runtime/index.js";
import { TrainingStep } from "./step.js";

export type JudgeOptions = {
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly seed: number;
  readonly onProgress?: (step: number, report: Readonly<Record<string, number>>) => void;
};

/** A classifier trained on a dataset, which then says how often images are recognised as their label. */
export class Judge {
  private constructor(
    private readonly step: TrainingStep,
    private readonly predict: Executable,
    private readonly images: DeviceTensor,
    private readonly labels: DeviceTensor,
    private readonly batch: number,
  ) {}

  /** Trains a small transformer with the engine's own step: cross-entropy, AdamW, cosine schedule. */
  static async train(runtime: Runtime, dataset: Dataset, options: JudgeOptions): Promise<Judge> {
    const { steps, batch, seed } = options;
    const { height: imageSize, channels } = dataset.shape;
    const config: ClassifierConfig = {
      imageSize,
      channels,
      patch: imageSize / 4,
      width: 96,
      depth: 2,
      heads: 4,
      classes: dataset.classes.length,
    };
    const scope = new Scope();
    const x = input("x", { dtype: "float32", shape: [batch, channels, imageSize, imageSize] });
    const scores = classifier(config)(scope, x);
    const loss = crossEntropy(scores, input("labels", { dtype: "int64", shape: [batch] }));
    const rate = learningRate({
      schedule: "cosine",
      learningRate: options.learningRate,
      finalLearningRate: 0,
      warmupSteps: Math.ceil(steps / 20),
      steps,
    });
    const transform = adamw({ beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.01, learningRate: rate });
    const step = await TrainingStep.create(runtime, {
      loss,
      parameters: scope.parameters,
      transform,
      ema: { decay: 0, warmup: false },
      clipNorm: 1,
    });
    for (const { name, tensor, initialize } of scope.parameters)
      await step.state.write(parameterInput(name), initialize(key(seed).fold("judge").fold(name), tensor.shape));
    const loader = new Loader(dataset, { seed, batch, startStep: 0, flip: false, onError: "stop" });
    for (let k = 0; k < steps; k++) {
      const { images, labels } = await loader.next();
      const report = await step.gradients({ x: images, labels });
      await step.update(k + 1);
      options.onProgress?.(k + 1, report);
    }
    const predict = await runtime.compile(lower("predict", { label: argmax(scores) }));
    return new Judge(step, predict, runtime.tensor(x.type), runtime.tensor({ dtype: "int64", shape: [batch] }), batch);
  }

  /** The share of images that are recognised as their label.   images [N C H W] in [−1, 1] */
  async accuracy(images: Float32Array<ArrayBuffer>, labels: readonly number[]): Promise<number> {
    const size = images.length / labels.length;
    let correct = 0;
    for (let start = 0; start < labels.length; start += this.batch) {
      const part = new Float32Array(size * this.batch);
      part.set(images.subarray(start * size, (start + this.batch) * size));
      await this.images.write(part);
      const { program } = this.predict;
      const weights = Object.fromEntries(
        Object.entries(this.step.state.inputs(parameterInput(""))).filter(([name]) => name in program.inputs),
      );
      await this.predict.run({ x: this.images, ...weights }, { label: this.labels });
      const found = await this.labels.read();
      for (let j = 0; j < Math.min(this.batch, labels.length - start); j++)
        correct += Number(Number(found[j]) === labels[start + j]);
    }
    return correct / labels.length;
  }

  release(): void {
    this.predict.release();
    this.step.release();
    this.images.dispose();
    this.labels.dispose();
  }
}

/** The first `count` samples of a dataset as one batch. */
export const firstSamples = async (dataset: Dataset, count: number) => {
  const loader = new Loader(dataset, { seed: 0, batch: count, startStep: 0, flip: false, onError: "stop", ahead: 0 });
  const { images, labels } = await loader.next();
  return { images, labels: Array.from(labels, Number) };
};
