import { type HostArray, hostArray, showType, type TensorType } from "../../graph/dtype.js";
import { checkArray } from "../check.js";
import type { DeviceTensor } from "../runtime.js";
import type { Connection } from "./connection.js";
import type { Id } from "./protocol.js";

/** A tensor in the worker's memory; `write` and `read` move copies. */
export class PortableTensor implements DeviceTensor {
  disposed = false;

  constructor(
    private readonly connection: Connection,
    readonly id: Id,
    readonly type: TensorType,
    data?: HostArray,
  ) {
    if (data) checkArray(type, data);
    const copy = (data?.slice() as HostArray | undefined) ?? hostArray(type.dtype, type.shape);
    connection.tell({ kind: "tensor", tensor: id, type, data: copy }, copy);
  }

  async write(data: HostArray): Promise<void> {
    checkArray(this.type, data);
    this.checkUsable();
    const copy = data.slice() as HostArray;
    await this.connection.call({ kind: "write", tensor: this.id, data: copy }, copy);
  }

  async read(): Promise<HostArray> {
    this.checkUsable();
    return (await this.connection.call({ kind: "read", tensor: this.id }))!;
  }

  dispose(): void {
    if (!this.disposed) this.connection.tell({ kind: "dispose", tensor: this.id });
    this.disposed = true;
  }

  private checkUsable(): void {
    if (this.disposed) throw new Error(`the tensor, ${showType(this.type)}, was disposed`);
  }
}
