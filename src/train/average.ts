import { type Parameter, parameterInput } from "../nn/index.js";
import { lower } from "../onnx/index.js";
import { cast, input, scalar } from "../ops/index.js";
import type { DeviceTensor, Executable, Program, Runtime } from "../runtime/index.js";
import { lastName, nextName, type TrainingState } from "./state.js";

/** What an average is kept in. */
export const AVERAGE_PRECISIONS = ["float32", "float64"] as const;
export type AveragePrecision = (typeof AVERAGE_PRECISIONS)[number];

/** An average of the weights that is not brought up to date at every step, or is kept in another precision than they. */
export type SlowAverage = {
  /** Steps from one application to the next; it is applied at the steps that are multiples of it. */
  readonly every: number;
  readonly precision: AveragePrecision;
  /** The decay of an application, at step k, counted from 1. */
  readonly decay: (k: number) => number;
};

const DECAY = "decay";

/** ē ← δ ē + (1 − δ) p for each parameter p, over the last ē, in the average's precision. */
export const averageProgram = (
  parameters: readonly Parameter[],
  nameOf: (parameter: string) => string,
  dtype: AveragePrecision,
): Program => {
  const decay = input(DECAY, { dtype, shape: [] });
  const rest = scalar(1, dtype).sub(decay);
  const outputs = Object.fromEntries(
    parameters.map(({ name, tensor: { type } }) => {
      const p = cast(input(parameterInput(name), type), { to: dtype });
      const own = input(nameOf(name), { dtype, shape: type.shape });
      return [nextName(nameOf(name)), own.mul(decay).add(p.mul(rest))] as const;
    }),
  );
  const inPlace = Object.fromEntries(Object.keys(outputs).map((name) => [name, lastName(name)]));
  return lower("average", outputs, { inPlace });
};

/** The program of a slow average, run after the update of every n-th step. */
export class AverageStep {
  private constructor(
    private readonly options: SlowAverage,
    private readonly executable: Executable,
    private readonly decay: DeviceTensor,
  ) {}

  static async create(runtime: Runtime, options: SlowAverage, program: Program): Promise<AverageStep> {
    const decay = runtime.tensor({ dtype: options.precision, shape: [] });
    return new AverageStep(options, await runtime.compile(program), decay);
  }

  /** Applies the average where step k is one of its steps; whether it did follows from k alone. */
  async follow(state: TrainingState, k: number): Promise<void> {
    if (k % this.options.every !== 0) return;
    const value = this.options.decay(k);
    await this.decay.write(this.options.precision === "float64" ? Float64Array.of(value) : Float32Array.of(value));
    await state.advance(this.executable, { [DECAY]: this.decay });
  }

  release(): void {
    this.executable.release();
    this.decay.dispose();
  }
}
