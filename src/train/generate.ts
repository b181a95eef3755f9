import { type HostArray, sizeOf } from "../graph/dtype.js";
import { parameterInput } from "../nn/index.js";
import { lower } from "../onnx/index.js";
import { full, input } from "../ops/index.js";
import { PARAMETERISATIONS, PATHS, solution } from "../paths/index.js";
import { key } from "../random/random.js";
import type { DeviceTensor, Executable, Runtime } from "../runtime/index.js";
import { renoise, sampleTimes } from "../samplers/renoise.js";
import { type ModelDescription, openNetwork } from "./model.js";

export type GenerateOptions = {
  /** Number of images. */
  readonly count: number;
  /** Network evaluations per image. */
  readonly evaluations: number;
  /** Sample i has label labels[i mod length]; empty for an unconditional model. */
  readonly labels: readonly number[];
  readonly seed: number;
};

/** Images [n C H W] in about [−1, 1], and their labels. */
export type Generated = { readonly images: Float32Array<ArrayBuffer>; readonly labels: readonly number[] };

/** The noise of sample i at evaluation k: a function of (seed, i, k) alone, whatever the batch. */
const noiseOf = (seed: number, sample: number, evaluation: number, size: number): Float32Array<ArrayBuffer> =>
  key(seed).fold("sample").fold(evaluation).fold(sample).normal(size);

/** A compiled generator: one program that takes all samples of a batch one evaluation further. */
export class Generator {
  private constructor(
    readonly description: ModelDescription,
    readonly batch: number,
    private readonly executable: Executable,
    private readonly feeds: Record<string, DeviceTensor>,
    private readonly output: DeviceTensor,
  ) {}

  static async create(runtime: Runtime, description: ModelDescription, batch: number): Promise<Generator> {
    const { network: config, path, parameterisation } = description;
    const { network } = openNetwork(config);
    const image = { dtype: "float32", shape: [batch, config.channels, config.imageSize, config.imageSize] } as const;
    const time = { dtype: "float32", shape: [batch, 1, 1, 1] } as const;
    const [x, eps, t, tNext] = [input("x", image), input("eps", image), input("t", time), input("t_next", time)];
    const y = input("y", { dtype: "int64", shape: [batch] });
    const zero = full(0, time);
    const f = (at: typeof x, from: typeof t) =>
      solution(PARAMETERISATIONS[parameterisation], at, from, zero, network(at, from, zero, y));
    const program = lower("generate", { next: renoise(f, PATHS[path])(x, t, tNext, eps) });
    const executable = await runtime.compile(program);
    const own = Object.entries(program.inputs).filter(([name]) => !name.startsWith(parameterInput("")));
    const feeds = Object.fromEntries(own.map(([name, type]) => [name, runtime.tensor(type)]));
    return new Generator(description, batch, executable, feeds, runtime.tensor(image));
  }

  /** Draws `count` images in batches; `weights` are tensors by parameter input. Yields each batch as it is ready. */
  async *generate(
    weights: Readonly<Record<string, DeviceTensor>>,
    options: GenerateOptions,
  ): AsyncGenerator<Generated> {
    for (let start = 0; start < options.count; start += this.batch) {
      const n = Math.min(this.batch, options.count - start);
      const labels = Array.from({ length: n }, (_, j) => options.labels[(start + j) % options.labels.length] ?? 0);
      const images = await this.drawBatch(weights, options, start, labels);
      yield { images: images.slice(0, (images.length / this.batch) * n), labels };
    }
  }

  private async drawBatch(
    weights: Readonly<Record<string, DeviceTensor>>,
    { evaluations, seed }: GenerateOptions,
    start: number,
    labels: readonly number[],
  ) {
    const size = sizeOf(this.output.type.shape) / this.batch;
    const noise = (evaluation: number): Float32Array<ArrayBuffer> => {
      const all = new Float32Array(size * this.batch); // places beyond the last sample stay zero
      for (let j = 0; j < labels.length; j++) all.set(noiseOf(seed, start + j, evaluation, size), j * size);
      return all;
    };
    const times = sampleTimes(evaluations);
    const y = BigInt64Array.from({ length: this.batch }, (_, j) => BigInt(labels[j] ?? 0));
    let x = noise(0);
    for (let k = 0; k < evaluations; k++) {
      const last = k === evaluations - 1;
      const feeds: Record<string, HostArray> = {
        x,
        y,
        eps: last ? new Float32Array(x.length) : noise(k + 1),
        t: new Float32Array(this.batch).fill(times[k]!),
        t_next: new Float32Array(this.batch).fill(times[k + 1]!),
      };
      for (const [name, tensor] of Object.entries(this.feeds)) await tensor.write(feeds[name]!);
      await this.executable.run({ ...this.feeds, ...weights }, { next: this.output });
      x = (await this.output.read()) as Float32Array<ArrayBuffer>;
    }
    return x;
  }

  release(): void {
    this.executable.release();
    for (const tensor of [...Object.values(this.feeds), this.output]) tensor.dispose();
  }
}

/** All images of `generate` in one array. */
export const collect = async (batches: AsyncIterable<Generated>): Promise<Generated> => {
  const parts: Generated[] = [];
  for await (const part of batches) parts.push(part);
  const images = new Float32Array(parts.reduce((n, part) => n + part.images.length, 0));
  let at = 0;
  for (const part of parts) {
    images.set(part.images, at);
    at += part.images.length;
  }
  return { images, labels: parts.flatMap((part) => part.labels) };
};

/** Copies weights to the device, by parameter input. */
export const uploadWeights = async (
  runtime: Runtime,
  description: ModelDescription,
  read: (name: string) => Promise<Float32Array<ArrayBuffer>>,
): Promise<Record<string, DeviceTensor>> => {
  const weights: Record<string, DeviceTensor> = {};
  for (const { name, tensor } of openNetwork(description.network).parameters) {
    const device = runtime.tensor(tensor.type);
    await device.write(await read(name));
    weights[parameterInput(name)] = device;
  }
  return weights;
};
