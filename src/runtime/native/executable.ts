import { checkBindings } from "../check.js";
import type { DeviceTensor, Executable, Program } from "../runtime.js";
import type { OrtApi, Pointer } from "./api.js";
import type { NativeTensor } from "./tensor.js";

type Tensors = Readonly<Record<string, DeviceTensor>>;

/** Bindings that are kept: a double-buffered step alternates between two. */
const KEPT = 4;

/** A set of tensors bound to a session; holds them alive. */
type Binding = { readonly pointer: Pointer; readonly tensors: readonly NativeTensor[]; busy: boolean };

/** A session of ONNX Runtime driven through IoBinding. */
export class NativeExecutable implements Executable {
  private readonly bindings: Binding[] = [];
  private running = 0;
  private released = false;

  constructor(
    private readonly api: OrtApi,
    private readonly session: Pointer,
    readonly program: Program,
  ) {}

  async run(inputs: Tensors, outputs: Tensors): Promise<void> {
    if (this.released) throw new Error(`program ${this.program.name} was released`);
    const binding = this.bindingFor(inputs, outputs);
    binding.busy = true;
    this.running++;
    try {
      await this.api.callAsync("RunWithBinding", this.session, null, binding.pointer);
    } catch (thrown) {
      throw new Error(`program ${this.program.name}: ${(thrown as Error).message}`);
    } finally {
      binding.busy = false;
      this.running--;
      if (this.released && this.running === 0) this.free();
    }
  }

  /** Frees the session, after the runs in progress have ended. */
  release(): void {
    if (this.released) return;
    this.released = true;
    if (this.running === 0) this.free();
  }

  private free(): void {
    for (const { pointer } of this.bindings.splice(0)) this.api.release("ReleaseIoBinding", pointer);
    this.api.release("ReleaseSession", this.session);
  }

  private bindingFor(inputs: Tensors, outputs: Tensors): Binding {
    const { program } = this;
    const wanted = [
      ...Object.keys(program.inputs).map((name) => inputs[name]),
      ...Object.keys(program.outputs).map((name) => outputs[name]),
    ] as NativeTensor[];
    const known = this.bindings.find(({ tensors, busy }) => !busy && tensors.every((t, i) => t === wanted[i]));
    if (known) return known;
    checkBindings(program, "input", inputs);
    checkBindings(program, "output", outputs);
    const binding = { pointer: this.bind(inputs, outputs), tensors: wanted, busy: false };
    this.bindings.push(binding);
    this.forget();
    return binding;
  }

  private bind(inputs: Tensors, outputs: Tensors): Pointer {
    const pointer = this.api.create("CreateIoBinding", this.session);
    for (const [name, tensor] of Object.entries(inputs))
      this.api.call("BindInput", pointer, name, (tensor as NativeTensor).pointer);
    for (const [name, tensor] of Object.entries(outputs))
      this.api.call("BindOutput", pointer, name, (tensor as NativeTensor).pointer);
    return pointer;
  }

  /** Drops the oldest idle bindings beyond the number kept. */
  private forget(): void {
    for (let i = 0; this.bindings.length > KEPT && i < this.bindings.length - 1; ) {
      if (this.bindings[i]!.busy) i++;
      else this.api.release("ReleaseIoBinding", this.bindings.splice(i, 1)[0]!.pointer);
    }
  }
}
