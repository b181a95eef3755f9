import { checkBindings, programError } from "../check.js";
import type { Executable, Program, Tensors } from "../runtime.js";
import type { OrtApi, Pointer } from "./api.js";
import { NativeTensor } from "./tensor.js";

/** Bindings that are kept: one that is made anew costs a check of every type. */
const KEPT = 4;

/** A set of tensors bound to a session; keeps them, and so the arrays under them, alive. */
type Binding = { readonly pointer: Pointer; readonly tensors: readonly NativeTensor[]; busy: boolean };

/** A session of ONNX Runtime driven through IoBinding. */
export class NativeExecutable implements Executable {
  private readonly bindings: Binding[] = [];
  private readonly inputs: readonly string[];
  private readonly outputs: readonly string[];
  private readonly inProgress = new Set<Promise<void>>();
  private closing: Promise<void> | undefined;

  constructor(
    private readonly api: OrtApi,
    private readonly session: Pointer,
    readonly program: Program,
    private readonly bound: ReadonlyMap<string, NativeTensor>,
    private readonly onRelease: () => void,
  ) {
    this.inputs = Object.keys(program.inputs);
    this.outputs = Object.keys(program.outputs);
  }

  async run(inputs: Tensors, outputs: Tensors): Promise<void> {
    if (this.closing) throw programError(this.program, "was released");
    const binding = this.bindingFor(inputs, outputs);
    const run = this.runBinding(binding);
    this.inProgress.add(run);
    try {
      await run;
    } finally {
      this.inProgress.delete(run);
    }
  }

  release(): void {
    void this.close();
  }

  /** Frees the session, after the runs in progress have ended. */
  close(): Promise<void> {
    this.closing ??= Promise.allSettled(this.inProgress).then(() => this.free());
    return this.closing;
  }

  private async runBinding(binding: Binding): Promise<void> {
    binding.busy = true;
    try {
      await this.api.callAsync("RunWithBinding", this.session, null, binding.pointer);
    } catch (thrown) {
      throw programError(this.program, (thrown as Error).message);
    } finally {
      binding.busy = false;
    }
  }

  private free(): void {
    for (const { pointer } of this.bindings.splice(0)) this.api.release("ReleaseIoBinding", pointer);
    this.api.release("ReleaseSession", this.session);
    this.onRelease();
  }

  /** A binding over these tensors that no run is using: types are checked when it is made, not on every run. */
  private bindingFor(inputs: Tensors, outputs: Tensors): Binding {
    const wanted = [...this.inputs.map((name) => inputs[name]), ...this.outputs.map((name) => outputs[name])];
    const fits = ({ busy, tensors }: Binding) => !busy && tensors.every((t, i) => t === wanted[i] && !t.disposed);
    const known = this.bindings.find(fits);
    if (known) return known;
    checkBindings(this.program, inputs, outputs, NativeTensor);
    this.forget();
    const binding = this.bind(wanted as NativeTensor[]);
    this.bindings.push(binding);
    return binding;
  }

  private bind(tensors: readonly NativeTensor[]): Binding {
    const pointer = this.api.create("CreateIoBinding", this.session);
    for (const [name, tensor] of this.bound) this.api.call("BindInput", pointer, name, tensor.pointer);
    let i = 0;
    for (const name of this.inputs) this.api.call("BindInput", pointer, name, tensors[i++]!.pointer);
    for (const name of this.outputs) this.api.call("BindOutput", pointer, name, tensors[i++]!.pointer);
    return { pointer, tensors, busy: false };
  }

  /** Makes room for one more: drops idle bindings of disposed tensors, and the oldest beyond the number kept. */
  private forget(): void {
    let surplus = this.bindings.length - (KEPT - 1);
    for (const binding of [...this.bindings]) {
      const stale = binding.tensors.some(({ disposed }) => disposed);
      if (binding.busy || !(stale || surplus > 0)) continue;
      surplus--;
      this.bindings.splice(this.bindings.indexOf(binding), 1);
      this.api.release("ReleaseIoBinding", binding.pointer);
    }
  }
}
