import { type HostArray, hostArray, sizeOf, type TensorType } from "../graph/dtype.js";
import { parameterInput } from "../nn/index.js";
import { input } from "../ops/index.js";
import { key } from "../random/random.js";
import type { DeviceTensor, Runtime } from "../runtime/index.js";
import type { Move, Plan } from "../samplers/index.js";
import { type ModelDescription, openNetwork } from "./model.js";
import { type Compiled, compilePlan, type DrawOptions, imageType, planOf } from "./plan.js";

export type { DrawOptions } from "./plan.js";

export type GenerateOptions = {
  /** Number of images. */
  readonly count: number;
  /** Sample i has label labels[i mod length]; empty for an unconditional model. */
  readonly labels: readonly number[];
  readonly seed: number;
};

/** Images [n C H W] in about [−1, 1], their labels, and network evaluations for each. */
export type Generated = {
  readonly images: Float32Array<ArrayBuffer>;
  readonly labels: readonly number[];
  readonly evaluations: number;
};

/** The noise of sample i at move k: a function of (seed, i, k) alone, whatever the batch. */
const noiseOf = (seed: number, sample: number, move: number, size: number): Float32Array<ArrayBuffer> =>
  key(seed).fold("sample").fold(move).fold(sample).normal(size);

/** A compiled generator: the sampler's programs, each of which takes all samples of a batch one move further. */
export class Generator {
  private constructor(
    readonly description: ModelDescription,
    readonly batch: number,
    private readonly plan: Plan,
    private readonly deviation: number,
    private readonly perMove: number,
    private readonly compiled: Readonly<Record<string, Compiled>>,
    private readonly tensors: Readonly<Record<string, DeviceTensor>>,
  ) {}

  static async create(runtime: Runtime, description: ModelDescription, options: DrawOptions): Promise<Generator> {
    const { batch } = options;
    const image = imageType(description, batch);
    const y = input("y", { dtype: "int64", shape: [batch] });
    const { plan, deviation, perMove } = planOf(description, y, options);
    const compiled = await compilePlan(runtime, plan.programs, input("x", image), input("eps", image));
    const types: Record<string, TensorType> = { x: image, eps: image, next: image, y: y.type };
    for (const { executable } of Object.values(compiled)) {
      const own = Object.entries(executable.program.inputs).filter(([name]) => !name.startsWith(parameterInput("")));
      Object.assign(types, Object.fromEntries(own), executable.program.outputs);
    }
    const tensors = Object.fromEntries(Object.entries(types).map(([name, type]) => [name, runtime.tensor(type)]));
    return new Generator(description, batch, plan, deviation, perMove, compiled, tensors);
  }

  /** Draws `count` images in batches; `weights` are tensors by parameter input. Yields each batch as it is ready. */
  async *generate(
    weights: Readonly<Record<string, DeviceTensor>>,
    { count, labels: choice, seed }: GenerateOptions,
  ): AsyncGenerator<Generated> {
    for (let start = 0; start < count; start += this.batch) {
      const n = Math.min(this.batch, count - start);
      const labels = Array.from({ length: n }, (_, j) => choice[(start + j) % choice.length] ?? 0);
      const { images, evaluations } = await this.drawBatch(weights, seed, start, labels);
      yield { images: images.slice(0, (images.length / this.batch) * n), labels, evaluations };
    }
  }

  private async drawBatch(
    weights: Readonly<Record<string, DeviceTensor>>,
    seed: number,
    start: number,
    labels: readonly number[],
  ) {
    const { y, eps, error } = this.tensors;
    let [x, next] = [this.tensors.x!, this.tensors.next!];
    const noise = (move: number, deviation: number) => this.noise(seed, start, labels.length, move, deviation);
    await x.write(noise(0, this.deviation));
    await y!.write(BigInt64Array.from({ length: this.batch }, (_, j) => BigInt(labels[j] ?? 0)));
    await eps!.write(hostArray("float32", eps!.type.shape));
    const moves = this.plan.moves(this.batch);
    let [evaluations, count] = [0, 1];
    let told: Float32Array | undefined;
    for (let turn = moves.next(); !turn.done; turn = moves.next(told)) {
      if (turn.value.fresh) await eps!.write(noise(count, 1));
      count++;
      const { outputs, spent } = await this.move(turn.value, weights, x, next);
      evaluations += spent;
      [x, next] = [next, x];
      told = "error" in outputs ? ((await error!.read()) as Float32Array) : undefined;
    }
    return { images: (await x.read()) as Float32Array<ArrayBuffer>, evaluations };
  }

  /** Runs one program of the plan, from x into `next`. */
  private async move(
    { program, at }: Move,
    weights: Readonly<Record<string, DeviceTensor>>,
    x: DeviceTensor,
    next: DeviceTensor,
  ) {
    const { executable, numbers, evaluations } = this.compiled[program]!;
    for (const name of numbers) await this.tensors[name]?.write(everySample(at[name]!, this.batch));
    const known: Record<string, DeviceTensor> = { ...this.tensors, ...weights, x };
    const used = Object.keys(executable.program.inputs).map((name) => [name, known[name]!] as const);
    const outputs = Object.fromEntries(
      Object.keys(executable.program.outputs).map((name) => [name, name === "next" ? next : this.tensors[name]!]),
    );
    await executable.run(Object.fromEntries(used), outputs);
    return { outputs, spent: evaluations * this.perMove };
  }

  /** Noise of a batch; places beyond the last sample stay zero. */
  private noise(seed: number, start: number, n: number, move: number, deviation: number): Float32Array<ArrayBuffer> {
    const all = hostArray("float32", this.tensors.x!.type.shape) as Float32Array<ArrayBuffer>;
    const size = sizeOf(this.tensors.x!.type.shape) / this.batch;
    for (let j = 0; j < n; j++) all.set(noiseOf(seed, start + j, move, size), j * size);
    return deviation === 1 ? all : all.map((value) => value * deviation);
  }

  release(): void {
    for (const { executable } of Object.values(this.compiled)) executable.release();
    for (const tensor of Object.values(this.tensors)) tensor.dispose();
  }
}

const everySample = (value: number | Float32Array, batch: number): HostArray =>
  typeof value === "number" ? new Float32Array(batch).fill(value) : Float32Array.from(value);

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
  const evaluations = Math.max(0, ...parts.map((part) => part.evaluations));
  return { images, labels: parts.flatMap((part) => part.labels), evaluations };
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
