import { availableParallelism } from "node:os";
import { messageOf } from "../../errors.js";
import type { HostArray, TensorType } from "../../graph/dtype.js";
import { checkBindings, programError } from "../check.js";
import type { DeviceTensor, Executable, Program, Runtime, RuntimeOptions, Tensors } from "../runtime.js";
import { Connection } from "./connection.js";
import type { Id, Ids } from "./protocol.js";
import { PortableTensor } from "./tensor.js";

const idsOf = (tensors: Tensors): Ids =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, (tensor as PortableTensor).id]));

class PortableExecutable implements Executable {
  private released = false;

  constructor(
    private readonly connection: Connection,
    private readonly id: Id,
    readonly program: Program,
  ) {}

  async run(inputs: Tensors, outputs: Tensors): Promise<void> {
    const { connection, id: executable, program } = this;
    if (this.released) throw programError(program, "was released");
    checkBindings(program, inputs, outputs, PortableTensor);
    const request = { kind: "run", executable, inputs: idsOf(inputs), outputs: idsOf(outputs) } as const;
    await connection.call(request).catch((thrown) => {
      throw programError(program, messageOf(thrown));
    });
  }

  release(): void {
    if (!this.released) this.connection.tell({ kind: "release", executable: this.id });
    this.released = true;
  }
}

/** ONNX Runtime on this machine's CPU through onnxruntime-node's own interface, in a worker thread. */
class PortableRuntime implements Runtime {
  readonly name = "portable-cpu";
  readonly inPlace = true;
  readonly version: string;
  readonly providers: readonly string[];
  private ids = 0;

  constructor(
    private readonly connection: Connection,
    readonly threads: number,
    readonly fallbackReason: string | undefined,
  ) {
    this.version = connection.ready.version;
    this.providers = connection.ready.providers;
  }

  tensor(type: TensorType, data?: HostArray): DeviceTensor {
    return new PortableTensor(this.connection, this.ids++, type, data);
  }

  async compile(program: Program): Promise<Executable> {
    const executable = this.ids++;
    await this.connection.call({ kind: "compile", executable, program }).catch((thrown) => {
      throw new Error(`program ${program.name}, ${program.bytes.byteLength} bytes: ${messageOf(thrown)}`);
    });
    return new PortableExecutable(this.connection, executable, program);
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}

/** Opens the portable runtime; `fallbackReason` says why not a faster one. Throws when onnxruntime-node cannot be loaded. */
export const openPortable = async (
  { threads = availableParallelism(), spin = true, profile = process.env.SOFLOW_PROFILE }: RuntimeOptions,
  fallbackReason?: string,
): Promise<Runtime> => new PortableRuntime(await Connection.open({ threads, spin, profile }), threads, fallbackReason);
