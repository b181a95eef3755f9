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

/** A compiled program. Every input and output is bound to a tensor made by the same runtime. */
export interface Executable {
  readonly program: Program;
  /** Runs once, reading `inputs` and writing `outputs`; never blocks the event loop. An output must not alias an input. */
  run(inputs: Readonly<Record<string, DeviceTensor>>, outputs: Readonly<Record<string, DeviceTensor>>): Promise<void>;
  release(): void;
}

/** Where programs run. One per process is enough; its sessions share one pool of threads. */
export interface Runtime {
  /** For example `native-cpu` or `portable-cpu`. */
  readonly name: string;
  /** Version of ONNX Runtime. */
  readonly version: string;
  readonly threads: number;
  /** Allocates a tensor, zero-filled unless `data` is given. */
  tensor(type: TensorType, data?: HostArray): DeviceTensor;
  compile(program: Program): Promise<Executable>;
  /** Releases sessions, tensors and threads. */
  close(): Promise<void>;
}

export type RuntimeOptions = {
  /** Threads inside one operation; the default is the number of cores this process may use. */
  threads?: number;
};
