import { gradients, joinCalls } from "../autodiff/index.js";
import type { HostArray, TensorType } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";
import { type Parameter, parameterInput } from "../nn/index.js";
import type { Loss } from "../objectives/index.js";
import { lower } from "../onnx/index.js";
import { input, scalar } from "../ops/index.js";
import { clipFactor, globalNorm, type Transform } from "../optim/index.js";
import type { DeviceTensor, Executable, Program, Runtime } from "../runtime/index.js";
import { Accumulator, gradientName } from "./accumulate.js";
import { AverageStep, averageProgram, type SlowAverage } from "./average.js";
import { lastName, nextName, TrainingState } from "./state.js";

const slotName = (slot: string, name: string): string => `${slot}.${name}`;

/** Under which name the state holds the moving average of a parameter that samples are drawn with. */
export const emaName = (name: string): string => slotName("ema", name);

/** Under which name it holds the second average, for a method that trains with one. */
export const averageName = (name: string): string => slotName("average", name);

const decayName = (average: string): string => `decay.${average}`;

/** The factor on gradients that keeps their norm within its limit. */
const CLIP = "clip";

const SCALAR: TensorType = { dtype: "float32", shape: [] };

export type StepOptions = {
  readonly loss: Loss;
  readonly parameters: readonly Parameter[];
  readonly transform: Transform;
  /** Moving averages of the weights by name, such as `ema`: the decay at step k, counted from 1. */
  readonly averages: Readonly<Record<string, (k: number) => number>>;
  /** The average `ema`, where it is not one of `averages`: applied every n-th step, or kept in float64. */
  readonly slowAverage?: SlowAverage;
  /** Program inputs that never change, such as a teacher's weights; whoever made them disposes of them. */
  readonly fixed?: Readonly<Record<string, DeviceTensor>>;
  /** Parts of a batch, whose gradients are averaged; default 1. */
  readonly microBatches?: number;
  /** Largest norm of the whole gradient; null leaves it as it is. */
  readonly clipNorm: number | null;
};

/** A loss whose independent evaluations of a network are one. */
const joinedLoss = ({ loss, report }: Loss): Loss => {
  const [joined, ...values] = joinCalls(loss, Object.values(report));
  return { loss: joined!, report: Object.fromEntries(Object.keys(report).map((name, i) => [name, values[i]!])) };
};

/** The first of the three programs: loss, reports and the gradient of every parameter. */
export const gradientProgram = ({ loss: written, parameters }: StepOptions): Program => {
  const { loss, report } = joinedLoss(written);
  const slopes = gradients(
    loss,
    parameters.map(({ tensor }) => tensor),
  );
  const named = parameters.map(({ name }, i) => [gradientName(name), slopes[i]!] as const);
  return lower("gradients", { ...Object.fromEntries(named), loss, ...report });
};

const like = (name: string, x: Tensor): Tensor => input(name, x.type);

/** The second: the norm of the gradient (which may have been averaged in between), to be judged before it is followed. */
export const normProgram = ({ parameters }: StepOptions): Program => {
  const slopes = parameters.map(({ name, tensor }) => like(gradientName(name), tensor));
  return lower("norm", { grad_norm: globalNorm(slopes) });
};

/** The third: next weights, optimiser state and averages from gradients, each over the last. */
export const updateProgram = ({ parameters, transform, clipNorm, averages }: StepOptions): Program => {
  const slopes = parameters.map(({ name, tensor }) => like(gradientName(name), tensor));
  const factor = clipNorm === null ? undefined : input(CLIP, SCALAR);
  const scalars = Object.fromEntries(Object.keys(transform.scalars).map((name) => [name, input(name, SCALAR)]));
  const decays = Object.keys(averages).map((name) => {
    const decay = input(decayName(name), SCALAR);
    return { name, decay, rest: scalar(1).sub(decay) };
  });
  const outputs: Record<string, Tensor> = {};
  parameters.forEach(({ name, tensor: parameter }, i) => {
    const slots = Object.fromEntries(transform.slots.map((slot) => [slot, like(slotName(slot, name), parameter)]));
    const g = factor ? slopes[i]!.mul(factor) : slopes[i]!;
    const { u, slots: next } = transform.update(g, { slots, parameter, scalars });
    const p = parameter.add(u);
    outputs[nextName(parameterInput(name))] = p;
    for (const [slot, x] of Object.entries(next)) outputs[nextName(slotName(slot, name))] = x;
    for (const { name: average, decay, rest } of decays) {
      const own = slotName(average, name);
      outputs[nextName(own)] = like(own, parameter).mul(decay).add(p.mul(rest));
    }
  });
  const inPlace = Object.fromEntries(Object.keys(outputs).map((name) => [name, lastName(name)]));
  return lower("update", outputs, { inPlace });
};

/** Inputs of a program that it gives the next value of. */
const stateOf = ({ inputs, outputs }: Program): Record<string, TensorType> =>
  Object.fromEntries(Object.entries(inputs).filter(([name]) => nextName(name) in outputs));

/** Named scalars of one step: loss, the objective's reports, grad_norm. */
export type Report = Record<string, number>;

/** Training as three programs over one state: gradients; then their norm, and from both the next state. */
export class TrainingStep {
  private readonly feeds: Record<string, DeviceTensor>;
  private readonly slopes: Record<string, DeviceTensor>;
  private readonly reports: Record<string, DeviceTensor>;
  private readonly scalars: Record<string, DeviceTensor>;
  private readonly norm: DeviceTensor;

  private constructor(
    private readonly runtime: Runtime,
    private readonly options: StepOptions,
    private readonly gradientsOf: Executable,
    private readonly normOf: Executable,
    private readonly updateOf: Executable,
    private readonly totals: Accumulator | undefined,
    private readonly slow: AverageStep | undefined,
    readonly state: TrainingState,
  ) {
    const allocate = (types: Readonly<Record<string, TensorType>>, keep: (name: string) => boolean) =>
      Object.fromEntries(
        Object.entries(types)
          .filter(([name]) => keep(name))
          .map(([name, type]) => [name, runtime.tensor(type)]),
      );
    const isGradient = (name: string): boolean => name.startsWith(gradientName(""));
    const isState = (name: string): boolean => name in state.types;
    const isFixed = (name: string): boolean => name in (options.fixed ?? {});
    this.feeds = allocate(gradientsOf.program.inputs, (name) => !isState(name) && !isFixed(name));
    this.slopes = allocate(gradientsOf.program.outputs, isGradient);
    this.reports = allocate(gradientsOf.program.outputs, (name) => !isGradient(name));
    this.scalars = allocate(updateOf.program.inputs, (name) => !isState(name) && !isGradient(name));
    this.norm = runtime.tensor(SCALAR);
  }

  static async create(runtime: Runtime, options: StepOptions): Promise<TrainingStep> {
    const { microBatches = 1, parameters, slowAverage } = options;
    const update = updateProgram(options);
    const average = slowAverage && averageProgram(parameters, emaName, slowAverage.precision);
    const executables = [
      await runtime.compile(gradientProgram(options)),
      await runtime.compile(normProgram(options)),
      await runtime.compile(update),
    ] as const;
    const slow = average && (await AverageStep.create(runtime, slowAverage, average));
    const types = { ...stateOf(update), ...(average && stateOf(average)) };
    const totals = microBatches > 1 ? await Accumulator.create(runtime, parameters, microBatches) : undefined;
    return new TrainingStep(runtime, options, ...executables, totals, slow, new TrainingState(runtime, types));
  }

  /** Program inputs that a batch must fill. */
  get inputs(): Readonly<Record<string, TensorType>> {
    return Object.fromEntries(Object.entries(this.feeds).map(([name, { type }]) => [name, type]));
  }

  /** Runs the first program on a batch, or on each of its parts in turn; reports are means over the parts. */
  async gradients(...parts: readonly Readonly<Record<string, HostArray>>[]): Promise<Report> {
    const reports: Report[] = [];
    for (const [i, part] of parts.entries()) {
      reports.push(await this.gradientsOfPart(part));
      await this.totals?.add(this.slopes, i === 0);
    }
    const names = Object.keys(this.reports);
    const mean = (name: string): number => reports.reduce((sum, report) => sum + report[name]!, 0) / reports.length;
    return Object.fromEntries(names.map((name) => [name, mean(name)]));
  }

  private async gradientsOfPart(part: Readonly<Record<string, HostArray>>): Promise<Report> {
    for (const [name, tensor] of Object.entries(this.feeds)) {
      const data = part[name];
      if (!data) throw new Error(`the batch lacks ${name}`);
      await tensor.write(data);
    }
    const { program } = this.gradientsOf;
    const known = { ...this.state.inputs(), ...this.options.fixed };
    const used = Object.fromEntries(Object.entries(known).filter(([name]) => name in program.inputs));
    await this.gradientsOf.run({ ...this.feeds, ...used }, { ...this.slopes, ...this.reports });
    return readAll(this.reports);
  }

  /**
   * Follows the gradient with the scalars of step k (the first step is 1). A gradient whose norm is not finite is
   * reported and not followed: the state stays as it was.
   */
  async update(k: number): Promise<Report> {
    const slopes = this.totals?.gradients() ?? this.slopes;
    await this.normOf.run(slopes, { grad_norm: this.norm });
    const report = await readAll({ grad_norm: this.norm });
    if (!Number.isFinite(report.grad_norm)) return report;
    const values = this.scalarValues(k, report.grad_norm!);
    for (const [name, tensor] of Object.entries(this.scalars)) await tensor.write(Float32Array.of(values[name]!));
    await this.state.advance(this.updateOf, { ...slopes, ...this.scalars });
    await this.slow?.follow(this.state, k);
    return report;
  }

  private scalarValues(k: number, norm: number): Readonly<Record<string, number>> {
    const { averages, transform, clipNorm } = this.options;
    const decays = Object.entries(averages).map(([name, decay]) => [decayName(name), decay(k)] as const);
    const own = Object.entries(transform.scalars).map(([name, value]) => [name, value(k)] as const);
    return Object.fromEntries([...decays, ...own, [CLIP, clipNorm === null ? 1 : clipFactor(norm, clipNorm)]]);
  }

  /** The weights of the average `ema` by parameter input, in float32; `release` when they are no longer needed. */
  async averaged(): Promise<{ weights: Record<string, DeviceTensor>; release: () => void }> {
    const weights: Record<string, DeviceTensor> = {};
    const copies: DeviceTensor[] = [];
    for (const [own, tensor] of Object.entries(this.state.inputs(emaName("")))) {
      const copy = tensor.type.dtype === "float64" ? await this.inFloat32(tensor) : undefined;
      if (copy) copies.push(copy);
      weights[parameterInput(own.slice(emaName("").length))] = copy ?? tensor;
    }
    const release = (): void => {
      for (const copy of copies) copy.dispose();
    };
    return { weights, release };
  }

  private async inFloat32(tensor: DeviceTensor): Promise<DeviceTensor> {
    const data = Float32Array.from((await tensor.read()) as Float64Array);
    return this.runtime.tensor({ dtype: "float32", shape: tensor.type.shape }, data);
  }

  release(): void {
    for (const executable of [this.gradientsOf, this.normOf, this.updateOf]) executable.release();
    this.totals?.release();
    this.slow?.release();
    this.state.dispose();
    this.norm.dispose();
    for (const group of [this.feeds, this.slopes, this.reports, this.scalars])
      for (const tensor of Object.values(group)) tensor.dispose();
  }
}

const readAll = async (tensors: Readonly<Record<string, DeviceTensor>>): Promise<Report> => {
  const report: Report = {};
  for (const [name, tensor] of Object.entries(tensors)) report[name] = Number((await tensor.read())[0]);
  return report;
};
