import { type HostArray, hostArray, type TensorType } from "../../graph/dtype.js";
import { onnxType } from "../../ops/cast.js";
import { checkArray } from "../check.js";
import type { DeviceTensor } from "../runtime.js";
import type { OrtApi, Pointer } from "./api.js";

/** A tensor in host memory: an OrtValue over an array of ours, so programs read and write it without copies. */
export class NativeTensor implements DeviceTensor {
  readonly data: HostArray;
  private value: Pointer | null;

  constructor(
    private readonly api: OrtApi,
    memory: Pointer,
    readonly type: TensorType,
    data?: HostArray,
  ) {
    if (data) checkArray(type, data);
    this.data = hostArray(type.dtype, type.shape);
    if (data) this.data.set(data as never);
    const dims = BigInt64Array.from(type.shape, BigInt);
    const [bytes, rank] = [this.data.byteLength, type.shape.length];
    this.value = api.create(
      "CreateTensorWithDataAsOrtValue",
      memory,
      this.data,
      bytes,
      dims,
      rank,
      onnxType[type.dtype],
    );
  }

  /** The OrtValue. Whoever uses it must keep this object alive for as long. */
  get pointer(): Pointer {
    if (this.value === null) throw new Error("the tensor was disposed");
    return this.value;
  }

  async write(data: HostArray): Promise<void> {
    checkArray(this.type, data);
    this.data.set(data as never);
  }

  async read(): Promise<HostArray> {
    if (this.value === null) throw new Error("the tensor was disposed");
    return this.data.slice() as HostArray;
  }

  dispose(): void {
    if (this.value !== null) this.api.release("ReleaseValue", this.value);
    this.value = null;
  }
}
