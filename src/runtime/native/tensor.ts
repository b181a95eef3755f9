import { type HostArray, hostArray, showType, type TensorType } from "../../graph/dtype.js";
import { onnxType } from "../../ops/cast.js";
import { checkArray } from "../check.js";
import type { HostTensor } from "../runtime.js";
import type { OrtApi, Pointer } from "./api.js";

/** A tensor in host memory: an OrtValue over an array of ours, so programs read and write it without copies. */
export class NativeTensor implements HostTensor {
  private array: HostArray;
  private value: Pointer | null;

  constructor(
    private readonly api: OrtApi,
    memory: Pointer,
    readonly type: TensorType,
    data?: HostArray,
    ownership: "copy" | "borrow" = "copy",
  ) {
    if (data) checkArray(type, data);
    this.array =
      (ownership === "borrow" ? data : (data?.slice() as HostArray | undefined)) ?? hostArray(type.dtype, type.shape);
    const dims = BigInt64Array.from(type.shape, BigInt);
    // Asking for the buffer also moves a small array out of the JavaScript heap, where collections would move it.
    const [bytes, rank] = [this.array.buffer.byteLength, type.shape.length];
    const element = onnxType[type.dtype];
    this.value = api.create("CreateTensorWithDataAsOrtValue", memory, this.array, bytes, dims, rank, element);
  }

  /** The OrtValue. Whoever uses it must keep this object alive for as long. */
  get pointer(): Pointer {
    return this.usable().value;
  }

  get data(): HostArray {
    return this.usable().array;
  }

  get disposed(): boolean {
    return this.value === null;
  }

  async write(data: HostArray): Promise<void> {
    checkArray(this.type, data);
    this.data.set(data as never);
  }

  async read(): Promise<HostArray> {
    return this.data.slice() as HostArray;
  }

  dispose(): void {
    if (this.value !== null) this.api.release("ReleaseValue", this.value);
    this.value = null;
  }

  private usable(): { value: Pointer; array: HostArray } {
    if (this.value === null) throw new Error(`the tensor, ${showType(this.type)}, was disposed`);
    return { value: this.value, array: this.array };
  }
}
