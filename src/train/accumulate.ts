import type { Parameter } from "../nn/index.js";
import { lower } from "../onnx/index.js";
import { input, where } from "../ops/index.js";
import type { DeviceTensor, Executable, Program, Runtime } from "../runtime/index.js";
import { lastName, nextName, TrainingState } from "./state.js";

/** Under which name programs give and take the gradient of a parameter. */
export const gradientName = (name: string): string => `gradient.${name}`;

const totalName = (gradient: string): string => `total.${gradient}`;
const gradientOf = (total: string): string => total.slice(totalName("").length);

type Tensors = Readonly<Record<string, DeviceTensor>>;

/** total ← g / parts for the first part of a batch, total + g / parts for the others. */
const accumulateProgram = (parameters: readonly Parameter[], parts: number): Program => {
  const first = input("first", { dtype: "bool", shape: [] });
  const sums = parameters.map(({ name, tensor: { type } }) => {
    const gradient = gradientName(name);
    const share = input(gradient, type).mul(1 / parts);
    return [nextName(totalName(gradient)), where(first, share, input(totalName(gradient), type).add(share))] as const;
  });
  const inPlace = Object.fromEntries(sums.map(([name]) => [name, lastName(name)]));
  return lower("accumulate", Object.fromEntries(sums), { inPlace });
};

/** The mean of the gradients of several parts of a batch. */
export class Accumulator {
  private constructor(
    private readonly executable: Executable,
    private readonly totals: TrainingState,
    private readonly first: DeviceTensor,
  ) {}

  static async create(runtime: Runtime, parameters: readonly Parameter[], parts: number): Promise<Accumulator> {
    const types = Object.fromEntries(
      parameters.map(({ name, tensor }) => [totalName(gradientName(name)), tensor.type]),
    );
    const executable = await runtime.compile(accumulateProgram(parameters, parts));
    return new Accumulator(executable, new TrainingState(runtime, types), runtime.tensor({ dtype: "bool", shape: [] }));
  }

  /** Adds the gradients of one part, by `gradientName`; the first begins anew. */
  async add(gradients: Tensors, first: boolean): Promise<void> {
    await this.first.write(Uint8Array.of(Number(first)));
    await this.totals.advance(this.executable, { ...gradients, first: this.first });
  }

  /** The sums, by `gradientName`. */
  gradients(): Tensors {
    return Object.fromEntries(Object.entries(this.totals.inputs()).map(([name, tensor]) => [gradientOf(name), tensor]));
  }

  release(): void {
    this.executable.release();
    this.totals.dispose();
    this.first.dispose();
  }
}
