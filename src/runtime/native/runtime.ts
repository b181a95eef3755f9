import { availableParallelism } from "node:os";
import type { HostArray, TensorType } from "../../graph/dtype.js";
import type { Executable, HostTensor, Program, Runtime, RuntimeOptions } from "../runtime.js";
import { findLibrary, OrtApi } from "./api.js";
import { type Environment, openEnvironment } from "./environment.js";
import { NativeExecutable } from "./executable.js";
import { createSession } from "./session.js";
import { NativeTensor } from "./tensor.js";
import { giveBackMemory } from "./trim.js";

let shared: OrtApi | undefined;

/** The library is loaded once per process. */
const ortApi = (): OrtApi => {
  shared ??= new OrtApi(findLibrary());
  return shared;
};

/** ONNX Runtime on this machine's CPU through its C API: no copies of tensors, runs off the main thread. */
export class NativeRuntime implements Runtime {
  readonly name = "native-cpu";
  readonly inPlace = true;
  readonly threads: number;
  private readonly api = ortApi();
  private readonly environment: Environment;
  private readonly profile: string | undefined;
  private readonly executables = new Set<NativeExecutable>();
  private readonly compiling = new Set<Promise<unknown>>();
  private closed = false;

  /** Throws when the library cannot be loaded, or a runtime with another number of threads is open. */
  constructor(options: RuntimeOptions = {}) {
    this.threads = options.threads ?? availableParallelism();
    this.profile = options.profile ?? process.env.SOFLOW_PROFILE;
    this.environment = openEnvironment(this.api, this.threads, options.spin ?? true);
  }

  get version(): string {
    return this.api.version;
  }

  get providers(): readonly string[] {
    return this.api.providers().map((provider) => provider.replace(/ExecutionProvider$/, "").toLowerCase());
  }

  tensor(type: TensorType, data?: HostArray): HostTensor {
    this.checkOpen();
    return new NativeTensor(this.api, this.environment.memory, type, data);
  }

  async compile(program: Program): Promise<Executable> {
    this.checkOpen();
    const [fixed, bound] = [this.borrowed(program.fixed), this.borrowed(program.bound)];
    const compiling = createSession(this.api, this.environment, program, fixed, this.profile);
    this.compiling.add(compiling);
    const session = await compiling.finally(() => this.compiling.delete(compiling));
    const executable = new NativeExecutable(this.api, session, program, bound, () => {
      for (const tensor of [...fixed.values(), ...bound.values()]) tensor.dispose();
      this.executables.delete(executable);
      giveBackMemory();
    });
    this.executables.add(executable);
    return executable;
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await Promise.allSettled(this.compiling);
    await Promise.all([...this.executables].map((executable) => executable.close()));
    this.environment.release();
  }

  /** Tensors over arrays that are a program's own. */
  private borrowed(given: Program["fixed"] = {}): Map<string, NativeTensor> {
    const { memory } = this.environment;
    return new Map(
      Object.entries(given).map(([name, { type, data }]) => [
        name,
        new NativeTensor(this.api, memory, type, data, "borrow"),
      ]),
    );
  }

  private checkOpen(): void {
    if (this.closed) throw new Error("the runtime was closed");
  }
}
