import { setImmediate as nextTurn } from "node:timers/promises";
import { UserError } from "../errors.js";
import { joinFloats } from "../formats/floats.js";
import { type HostArray, hostArray, sizeOf, type TensorType } from "../graph/dtype.js";
import { parameterInput } from "../nn/index.js";
import { input } from "../ops/index.js";
import { sampleNoise } from "../random/sampleNoise.js";
import type { DeviceTensor, Runtime } from "../runtime/index.js";
import type { Move, Plan } from "../samplers/index.js";
import { type ModelDescription, openNetwork } from "./model.js";
import { checkDrawOptions, checkRange } from "./options.js";
import { type Compiled, compilePlan, type DrawOptions, type Fixed, imageType, planOf, releaseAll } from "./plan.js";
import { batchUnit } from "./sizes.js";
import { Turns } from "./turns.js";

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

/** Weights that a call gives, in place of fixed ones: rows that were computed with those of another call are not its own. */
type Given = { readonly weights: Readonly<Record<string, DeviceTensor>> };

const NONE: Given = { weights: {} };

/**
 * A compiled generator: the sampler's programs, each of which takes all samples of a batch one move further. Batches share its
 * tensors and wait for one another: any number of calls may overlap, and each gives what it would give alone.
 */
export class Generator {
  private readonly turns = new Turns();
  private lastGiven: Given = NONE;
  private released = false;

  private constructor(
    readonly description: ModelDescription,
    /** Samples of a batch: those that were asked for, or a few more where `batchUnit` says so. */
    readonly batch: number,
    private readonly plan: Plan,
    private readonly deviation: number,
    private readonly perMove: number,
    private readonly compiled: Readonly<Record<string, Compiled>>,
    private readonly tensors: Readonly<Record<string, DeviceTensor>>,
  ) {}

  /**
   * `fixed`: weights that become part of the programs, which then run a little faster and take longer to compile. Throws a
   * `UserError` for options that cannot be.
   */
  static async create(
    runtime: Runtime,
    description: ModelDescription,
    options: DrawOptions,
    fixed: Fixed = {},
  ): Promise<Generator> {
    checkDrawOptions("generator", options, description);
    const { precision = "float32" } = options;
    const unit = batchUnit(description.network);
    const batch = Math.ceil(options.batch / unit) * unit;
    const image = imageType(description, batch);
    const y = input("y", { dtype: "int64", shape: [batch] });
    const { plan, deviation, perMove } = planOf(description, y, { ...options, batch });
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

  /**
   * Draws `count` images in batches. Yields each batch as it is ready; noise is drawn while the batch before is computed. What is
   * given is copied now, but for weights. Throws a `UserError` for counts, labels and seeds that cannot be.
   */
  generate({ count, first = 0, labels, seed, weights = {} }: GenerateOptions): AsyncGenerator<Generated> {
    checkRange("generator", { count, first, labels, seed }, this.description);
    this.checkOpen();
    return this.batches({ count, first, labels: [...labels], seed }, { weights });
  }

  private async *batches(
    { count, first, labels: choice, seed }: Required<Omit<GenerateOptions, "weights">>,
    given: Given,
  ): AsyncGenerator<Generated> {
    if (first >= count) return;
    const part = (start: number): Part => ({ seed, start, n: Math.min(this.batch, count - start) });
    let noise: FloatArray | Promise<FloatArray> = this.noise(part(first), 0, this.deviation);
    for (let start = first; start < count; start += this.batch) {
      const [own, next] = [part(start), part(start + this.batch)];
      const labels = Array.from({ length: own.n }, (_, j) => choice[(start + j) % choice.length] ?? 0);
      const drawn = this.drawBatch(given, await noise, (move) => this.noise(own, move, 1), labels);
      if (next.n > 0) noise = nextTurn().then(() => this.noise(next, 0, this.deviation));
      const { images, evaluations } = await drawn;
      yield { images: images.slice(0, (images.length / this.batch) * own.n), labels, evaluations };
    }
  }

  /** Draws up to `batch` samples that need not belong together. What is given is copied now. */
  async draw(samples: readonly Sample[], options: DrawMoves = {}): Promise<Generated> {
    this.checkOpen();
    if (samples.length < 1 || samples.length > this.batch)
      throw new UserError(`generator: ${samples.length} samples are given; a batch holds 1 to ${this.batch}`);
    const noises = samples.map(({ noise }) => noise);
    const start = this.gather(samples.map(({ start, noise }) => start ?? this.scaled(noise(0))));
    const labels = samples.map(({ label }) => label);
    const noiseAt: NoiseAt = (move) => this.gather(noises.map((noise) => noise(move)));
    const { images, evaluations } = await this.drawBatch(NONE, start, noiseAt, labels, options);
    return { images: images.slice(0, (images.length / this.batch) * labels.length), labels, evaluations };
  }

  private scaled(noise: Float32Array): Float32Array {
    return this.deviation === 1 ? noise : noise.map((value) => value * this.deviation);
  }

  /** Values of samples one after another; places beyond the last repeat it, so that no batch takes longer for them. */
  private gather(values: readonly Float32Array[]): FloatArray {
    const all = hostArray("float32", this.tensors.x!.type.shape);
    for (let j = 0; j < this.batch; j++)
      all.set(values[Math.min(j, values.length - 1)]!, (j * all.length) / this.batch);
    return all;
  }

  private checkOpen(): void {
    if (this.released) throw new UserError("generator: it was released; make another");
  }

  /** A batch, when those before it are done. */
  private drawBatch(...batch: Parameters<Generator["drawNow"]>): ReturnType<Generator["drawNow"]> {
    this.checkOpen();
    return this.turns.run(() => this.drawNow(...batch));
  }

  private async drawNow(
    given: Given,
    noise: FloatArray,
    noiseAt: NoiseAt,
    wanted: readonly number[],
    { moves = this.plan.moves(this.batch), onMove }: DrawMoves = {},
  ) {
    this.follow(given);
    const { y, eps, error } = this.tensors;
    let [x, next] = [this.tensors.x!, this.tensors.next!];
    const labels = padded(wanted, this.batch);
    await x.write(noise);
    await y!.write(BigInt64Array.from(labels, BigInt));
    let [evaluations, count] = [0, 1];
    let told: Float32Array | undefined;
    for (let turn = moves.next(); !turn.done; turn = moves.next(told)) {
      if (turn.value.fresh) await eps!.write(noiseAt(count));
      count++;
      const { outputs, spent } = await this.move(turn.value, labels, { ...this.tensors, ...given.weights, x, next });
      evaluations += spent;
      [x, next] = [next, x];
      told = "error" in outputs ? ((await error!.read()) as Float32Array) : undefined;
      onMove?.(count - 1);
    }
    return { images: (await x.read()) as FloatArray, evaluations };
  }

  /** Forgets what was computed with the weights of another call. */
  private follow(given: Given): void {
    if (given === this.lastGiven) return;
    this.lastGiven = given;
    if (Object.keys(given.weights).length > 0)
      for (const { conditions } of Object.values(this.compiled)) conditions?.clear();
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

  /** Noise of a batch. */
  private noise({ seed, start, n }: Part, move: number, deviation: number): FloatArray {
    const size = sizeOf(this.tensors.x!.type.shape) / this.batch;
    const all = this.gather(Array.from({ length: n }, (_, j) => sampleNoise(seed, start + j, move, size)));
    return deviation === 1 ? all : all.map((value) => value * deviation);
  }

  /** Frees programs and tensors, once the batches that run or wait are done. Later batches are refused. */
  async release(): Promise<void> {
    if (this.released) return;
    this.released = true;
    if (!this.turns.idle) await this.turns.run(async () => {});
    releaseAll(this.compiled);
    for (const tensor of Object.values(this.tensors)) tensor.dispose();
  }
}

const pick = (
  tensors: Readonly<Record<string, DeviceTensor>>,
  names: readonly string[],
): Record<string, DeviceTensor> => Object.fromEntries(names.map((name) => [name, tensors[name]!]));

/** Values of a batch's samples; places beyond the last repeat it. */
const padded = (values: ArrayLike<number>, batch: number): number[] =>
  Array.from({ length: batch }, (_, j) => values[Math.min(j, values.length - 1)]!);

const everySample = (value: number | Float32Array, batch: number): Float32Array<ArrayBuffer> =>
  typeof value === "number" ? new Float32Array(batch).fill(value) : Float32Array.from(padded(value, batch));

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
