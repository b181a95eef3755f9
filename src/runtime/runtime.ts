import type { HostArray, TensorType } from "../graph/dtype.js";
import type { Program } from "../onnx/program.js";

export type { Program };

/** A tensor in the memory of the device that runs programs. It is allocated once and reused; programs write into it. */
export interface DeviceTensor {
  readonly type: TensorType;
  /** Copies a host array in. Throws when its kind or length differs from the type's. */
  write(data: HostArray): Promise<void>;
  /** A copy of the contents in host memory. */
  read(): Promise<HostArray>;
  /** Frees the memory; using the tensor afterwards is an error. */
  dispose(): void;
}

/** A tensor in host memory, whose contents are at hand without a copy. Not to be touched while a program runs on it. */
export interface HostTensor extends DeviceTensor {
  readonly data: HostArray;
}

/** Tensors by the names that a program gives its inputs or outputs. */
export type Tensors = Readonly<Record<string, DeviceTensor>>;

/** A compiled program. Every input and output is bound to a tensor made by the same runtime. */
export interface Executable {
  readonly program: Program;
  /**
   * Runs once, reading `inputs` and writing `outputs`; never blocks the event loop. A tensor that is written may serve
   * once only, but where the program says `inPlace`. Throws when names or types differ from the program's, and when ONNX Runtime fails.
   */
  run(inputs: Tensors, outputs: Tensors): Promise<void>;
  /** Frees the program once its runs in progress have ended; running it afterwards is an error. */
  release(): void;
}

/** Where programs run. One per process is enough; its sessions share one pool of threads. */
export interface Runtime {
  /** For example `native-cpu` or `portable-cpu`. */
  readonly name: string;
  /** Version of ONNX Runtime. */
  readonly version: string;
  readonly threads: number;
  /** Whether a tensor may be bound as an input and as the output that takes its place. */
  readonly inPlace: boolean;
  /** Execution providers that this build of ONNX Runtime has, such as `cpu` and `webgpu`; programs run on the CPU today. */
  readonly providers: readonly string[];
  /** Why this is not the fastest runtime, where `openRuntime` had to fall back to it. */
  readonly fallbackReason?: string;
  /** Allocates a tensor, zero-filled unless `data` is given. */
  tensor(type: TensorType, data?: HostArray): DeviceTensor;
  compile(program: Program): Promise<Executable>;
  /** Waits for the runs in progress, then releases sessions and threads. Using the runtime afterwards is an error. */
  close(): Promise<void>;
}

export type RuntimeOptions = {
  /** Threads inside one operation; the default is the number of cores this process may use. */
  threads?: number;
  /**
   * Whether idle threads wait actively for the next operation; default true. On a machine shared with other work false
   * is faster: beside a job on two of four cores the gradients of a DiT took 2.5–3.3 s instead of 4.0 s.
   */
  spin?: boolean;
  /** Makes ONNX Runtime profile every program, to JSON files whose paths begin so; default: `SOFLOW_PROFILE`, else off. */
  profile?: string;
};
