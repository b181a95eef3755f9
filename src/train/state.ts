import type { DType, HostArray, TensorType } from "../graph/dtype.js";
import type { DeviceTensor, Executable, Runtime } from "../runtime/index.js";

type Tensors = Record<string, DeviceTensor>;

/** Under which name a program returns the next value of a state tensor. */
export const nextName = (name: string): string => `next.${name}`;

/** The state tensor whose next value this is. */
export const lastName = (next: string): string => next.slice(nextName("").length);

const inPrecision = (dtype: DType, data: HostArray): HostArray => {
  if (dtype === "float64" && data instanceof Float32Array) return Float64Array.from(data);
  return dtype === "float32" && data instanceof Float64Array ? Float32Array.from(data) : data;
};

/**
 * Everything that training changes: weights, moments, averages. A program writes the next state over the last. Where the
 * runtime cannot do that each tensor exists twice: a program reads one set and writes the other, and they change places.
 */
export class TrainingState {
  private readonly current: Tensors;
  private readonly spare: Tensors | undefined;

  constructor(
    runtime: Runtime,
    readonly types: Readonly<Record<string, TensorType>>,
  ) {
    const allocate = (): Tensors =>
      Object.fromEntries(Object.entries(types).map(([name, type]) => [name, runtime.tensor(type)]));
    this.current = allocate();
    this.spare = runtime.inPlace ? undefined : allocate();
  }

  get names(): string[] {
    return Object.keys(this.types);
  }

  /** The tensors of this step whose names start with `prefix`. */
  inputs(prefix = ""): Tensors {
    return Object.fromEntries(Object.entries(this.current).filter(([name]) => name.startsWith(prefix)));
  }

  /**
   * Runs a program that takes the state one step further: state tensors that it reads or gives the next value of are
   * bound by name, beside `feeds`. Those that it does not give stay as they are.
   */
  async advance(executable: Executable, feeds: Readonly<Tensors>): Promise<void> {
    const { inputs, outputs } = executable.program;
    const read = Object.entries(this.current).filter(([name]) => name in inputs);
    const written = this.names.filter((name) => nextName(name) in outputs);
    const target = this.spare ?? this.current;
    const next = Object.fromEntries(written.map((name) => [nextName(name), target[name]!]));
    await executable.run({ ...Object.fromEntries(read), ...feeds }, next);
    if (this.spare) this.exchange(this.spare, written);
  }

  private exchange(spare: Tensors, names: readonly string[]): void {
    for (const name of names) [this.current[name], spare[name]] = [spare[name]!, this.current[name]!];
  }

  /** Floats of either precision are taken; they are stored in the tensor's own. */
  async write(name: string, data: HostArray): Promise<void> {
    const tensor = this.current[name];
    if (!tensor) throw new Error(`there is no state tensor ${name}`);
    await tensor.write(inPrecision(tensor.type.dtype, data));
  }

  async read(name: string): Promise<HostArray> {
    const tensor = this.current[name];
    if (!tensor) throw new Error(`there is no state tensor ${name}`);
    return tensor.read();
  }

  dispose(): void {
    for (const tensor of [...Object.values(this.current), ...Object.values(this.spare ?? {})]) tensor.dispose();
  }
}
