import { setImmediate as nextTurn } from "node:timers/promises";
import { joinFloats } from "../formats/floats.js";
import { type HostArray, hostArray, sizeOf, type TensorType } from "../graph/dtype.js";
import { parameterInput } from "../nn/index.js";
import { input } from "../ops/index.js";
import { sampleNoise } from "../random/sampleNoise.js";
import type { DeviceTensor, Runtime } from "../runtime/index.js";
import type { Move, Plan } from "../samplers/index.js";
import { type ModelDescription, openNetwork } from "./model.js";
import { type Compiled, compilePlan, type DrawOptions, type Fixed, imageType, planOf } from "./plan.js";

export type { DrawOptions, Fixed } from "./plan.js";

export type GenerateOptions = {
  /** Number of images: those before it are drawn. */
  readonly count: number;
  /** The first sample to draw, by default 0; it is the one that a run from 0 draws there. */
  readonly first?: number;
  /** Sample i has label labels[i mod length]; empty for an unconditional model. */
  readonly labels: readonly number[];
  readonly seed: number;
  /** Weights by parameter input, where they were not fixed when the generator was made. */
  readonly weights?: Readonly<Record<string, DeviceTensor>>;
};

/** Images [n C H W] in about [−1, 1], their labels, and network evaluations for each. */
export type Generated = {
  readonly images: Float32Array<ArrayBuffer>;
  readonly labels: readonly number[];
  readonly evaluations: number;
};

type FloatArray = Float32Array<ArrayBuffer>;

/** The samples of a batch: n of them from the sample `start` on. */
type Part = { readonly seed: number; readonly start: number; readonly n: number };

/** The noise of a batch at move k ≥ 1; that of move 0 is where it starts. */
type NoiseAt = (move: number) => FloatArray;

/** One of the samples of `draw`. */
export type Sample = {
  readonly label: number;
  /** Where it starts [C H W]; by default its noise of move 0. */
  readonly start?: Float32Array;
  /** Standard normal noise [C H W] at move k. */
  readonly noise: (move: number) => Float32Array;
};

/** Moves in place of the generator's own, as a plan of the same sampler makes them, and a listener to their count. */
export type DrawMoves = { readonly moves?: ReturnType<Plan["moves"]>; readonly onMove?: (done: number) => void };

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

  /** `fixed`: weights that become part of the programs, which then run a little faster and take longer to compile. */
  static async create(
    runtime: Runtime,
    description: ModelDescription,
    options: DrawOptions,
    fixed: Fixed = {},
  ): Promise<Generator> {
    const { batch, precision = "float32" } = options;
    const image = imageType(description, batch);
    const y = input("y", { dtype: "int64", shape: [batch] });
    const { plan, deviation, perMove } = planOf(description, y, options);
    const compiled = await compilePlan(runtime, plan.programs, {
      x: input("x", image),
      eps: input("eps", image),
      fixed,
      precision,
    });
    const types: Record<string, TensorType> = { x: image, eps: image, next: image, y: y.type };
    for (const { executable, conditions, numbers } of Object.values(compiled)) {
      const elsewhere = (name: string): boolean =>
        name.startsWith(parameterInput("")) || (conditions !== undefined && name in conditions.tensors);
      const own = Object.entries(executable.program.inputs).filter(([name]) => !elsewhere(name));
      const time: TensorType = { dtype: "float32", shape: [batch, 1, 1, 1] };
      Object.assign(types, Object.fromEntries([...own, ...numbers.map((number) => [number, time])]));
      Object.assign(types, executable.program.outputs);
    }
    const tensors = Object.fromEntries(Object.entries(types).map(([name, type]) => [name, runtime.tensor(type)]));
    return new Generator(description, batch, plan, deviation, perMove, compiled, tensors);
  }

  /** Draws `count` images in batches. Yields each batch as it is ready; noise is drawn while the batch before is computed. */
  async *generate({
    count,
    first = 0,
    labels: choice,
    seed,
    weights = {},
  }: GenerateOptions): AsyncGenerator<Generated> {
    for (const { conditions } of Object.values(this.compiled)) if (Object.keys(weights).length > 0) conditions?.clear();
    const part = (start: number): Part => ({ seed, start, n: Math.min(this.batch, count - start) });
    let noise: FloatArray | Promise<FloatArray> = this.noise(part(first), 0, this.deviation);
    for (let start = first; start < count; start += this.batch) {
      const [own, next] = [part(start), part(start + this.batch)];
      const labels = Array.from({ length: own.n }, (_, j) => choice[(start + j) % choice.length] ?? 0);
      const drawn = this.drawBatch(weights, await noise, (move) => this.noise(own, move, 1), labels);
      if (next.n > 0) noise = nextTurn().then(() => this.noise(next, 0, this.deviation));
      const { images, evaluations } = await drawn;
      yield { images: images.slice(0, (images.length / this.batch) * own.n), labels, evaluations };
    }
  }

  /**
   * Draws up to `batch` samples that need not belong together. Calls must not overlap: they share the tensors.
   */
  async draw(samples: readonly Sample[], options: DrawMoves = {}): Promise<Generated> {
    const start = this.gather(samples.map(({ start, noise }) => start ?? this.scaled(noise(0))));
    const labels = samples.map(({ label }) => label);
    const noiseAt: NoiseAt = (move) => this.gather(samples.map(({ noise }) => noise(move)));
    const { images, evaluations } = await this.drawBatch({}, start, noiseAt, labels, options);
    return { images: images.slice(0, (images.length / this.batch) * samples.length), labels, evaluations };
  }

  private scaled(noise: Float32Array): Float32Array {
    return this.deviation === 1 ? noise : noise.map((value) => value * this.deviation);
  }

  /** Values of samples one after another; places beyond the last stay zero. */
  private gather(values: readonly Float32Array[]): FloatArray {
    const all = hostArray("float32", this.tensors.x!.type.shape);
    for (const [j, value] of values.entries()) all.set(value, (j * all.length) / this.batch);
    return all;
  }

  private async drawBatch(
    weights: Readonly<Record<string, DeviceTensor>>,
    noise: FloatArray,
    noiseAt: NoiseAt,
    given: readonly number[],
    { moves = this.plan.moves(this.batch), onMove }: DrawMoves = {},
  ) {
    const { y, eps, error } = this.tensors;
    let [x, next] = [this.tensors.x!, this.tensors.next!];
    const labels = Array.from({ length: this.batch }, (_, j) => given[j] ?? 0);
    await x.write(noise);
    await y!.write(BigInt64Array.from(labels, BigInt));
    let [evaluations, count] = [0, 1];
    let told: Float32Array | undefined;
    for (let turn = moves.next(); !turn.done; turn = moves.next(told)) {
      if (turn.value.fresh) await eps!.write(noiseAt(count));
      count++;
      const { outputs, spent } = await this.move(turn.value, labels, { ...this.tensors, ...weights, x, next });
      evaluations += spent;
      [x, next] = [next, x];
      told = "error" in outputs ? ((await error!.read()) as Float32Array) : undefined;
      onMove?.(count - 1);
    }
    return { images: (await x.read()) as FloatArray, evaluations };
  }

  /** Runs one program of the plan, from x into `next`. */
  private async move({ program, at }: Move, labels: readonly number[], tensors: Record<string, DeviceTensor>) {
    const { executable, numbers, evaluations, conditions } = this.compiled[program]!;
    const values = numbers.map((name) => everySample(at[name]!, this.batch));
    for (const [i, name] of numbers.entries()) await tensors[name]?.write(values[i]!);
    const keys = labels.map((label, j) => [label, ...values.map((value) => value[j])].join(" "));
    await conditions?.prepare(keys, tensors);
    const outputs = pick(tensors, Object.keys(executable.program.outputs));
    await executable.run(pick({ ...tensors, ...conditions?.tensors }, Object.keys(executable.program.inputs)), outputs);
    return { outputs, spent: evaluations * this.perMove };
  }

  /** Noise of a batch; places beyond the last sample stay zero. */
  private noise({ seed, start, n }: Part, move: number, deviation: number): FloatArray {
    const all = hostArray("float32", this.tensors.x!.type.shape);
    const size = sizeOf(this.tensors.x!.type.shape) / this.batch;
    for (let j = 0; j < n; j++) all.set(sampleNoise(seed, start + j, move, size), j * size);
    return deviation === 1 ? all : all.map((value) => value * deviation);
  }

  release(): void {
    for (const { executable, conditions } of Object.values(this.compiled)) {
      executable.release();
      conditions?.release();
    }
    for (const tensor of Object.values(this.tensors)) tensor.dispose();
  }
}

const pick = (
  tensors: Readonly<Record<string, DeviceTensor>>,
  names: readonly string[],
): Record<string, DeviceTensor> => Object.fromEntries(names.map((name) => [name, tensors[name]!]));

const everySample = (value: number | Float32Array, batch: number): Float32Array<ArrayBuffer> =>
  typeof value === "number" ? new Float32Array(batch).fill(value) : Float32Array.from(value);

/** All images of `generate` in one array. */
export const collect = async (batches: AsyncIterable<Generated>): Promise<Generated> => {
  const parts: Generated[] = [];
  for await (const part of batches) parts.push(part);
  const images = joinFloats(parts.map((part) => part.images));
  const evaluations = Math.max(0, ...parts.map((part) => part.evaluations));
  return { images, labels: parts.flatMap((part) => part.labels), evaluations };
};

/** All weights of a model, by parameter input. */
export const readWeights = async (
  description: ModelDescription,
  read: (name: string) => Promise<Float32Array<ArrayBuffer>>,
): Promise<Fixed> => {
  const weights: Record<string, HostArray> = {};
  for (const { name } of openNetwork(description.network).parameters) weights[parameterInput(name)] = await read(name);
  return weights;
};
