import type { HostArray, TensorType } from "../graph/dtype.js";
import type { DeviceTensor, Runtime } from "../runtime/index.js";

type Tensors = Record<string, DeviceTensor>;

/** Under which name a program returns the next value of a state tensor. */
export const nextName = (name: string): string => `next.${name}`;

/** The state tensor whose next value this is. */
export const lastName = (next: string): string => next.slice(nextName("").length);

/**
 * Everything that training changes: weights, moments, averages. A program writes the next state over the last. Where the
 * runtime cannot do that each tensor exists twice: a program reads one set and writes the other, and they change places.
 */
export class TrainingState {
  private current: Tensors;
  private spare: Tensors | undefined;

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

  /** Where a program writes the state of the next step. */
  outputs(): Tensors {
    return Object.fromEntries(
      Object.entries(this.spare ?? this.current).map(([name, tensor]) => [nextName(name), tensor]),
    );
  }

  /** Makes what was written the state. */
  swap(): void {
    if (this.spare) [this.current, this.spare] = [this.spare, this.current];
  }

  async write(name: string, data: HostArray): Promise<void> {
    const tensor = this.current[name];
    if (!tensor) throw new Error(`there is no state tensor ${name}`);
    await tensor.write(data);
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
