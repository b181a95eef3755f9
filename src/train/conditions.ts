import type { HostArray, TensorType } from "../graph/dtype.js";
import type { DeviceTensor, Executable, Runtime, Tensors } from "../runtime/index.js";

/** Rows that are kept, in float32 numbers: 64 MiB. */
const KEPT_NUMBERS = 1 << 24;

/** Whole batches that are kept: labels given in turn come back after a few. */
const KEPT_BATCHES = 8;

/** What a sampler's program computes from labels and times alone, as rows: sample i of a batch is row i of every block. */
export class Conditions {
  /** By the names under which the late program reads them. */
  readonly tensors: Readonly<Record<string, DeviceTensor>>;
  private readonly rows = new Map<string, Float32Array>();
  private readonly composed = new Map<string, readonly Float32Array<ArrayBuffer>[]>();
  private readonly rowNumbers: number;
  private held: string | undefined;

  constructor(
    runtime: Runtime,
    private readonly early: Executable,
    private readonly batch: number,
  ) {
    const types = Object.entries(early.program.outputs);
    this.tensors = Object.fromEntries(types.map(([name, type]) => [name, runtime.tensor(type)]));
    this.rowNumbers = types.reduce((sum, [, type]) => sum + elementsOf(type), 0) / batch;
  }

  /** Forgets every row: the weights have changed. */
  clear(): void {
    this.rows.clear();
    this.composed.clear();
    this.held = undefined;
  }

  /** Fills `tensors` for a batch with these `keys`, equal for samples with equal labels and times; `inputs` holds what says which. */
  async prepare(keys: readonly string[], inputs: Tensors): Promise<void> {
    const all = keys.join();
    if (all === this.held) return;
    this.held = undefined; // what fails below leaves the tensors to nobody
    const known = keys.map((key) => this.rows.get(key));
    if (known.every((row) => row !== undefined)) await this.compose(all, known);
    else await this.compute(keys, inputs);
    this.held = all;
  }

  private async compute(keys: readonly string[], inputs: Tensors): Promise<void> {
    const wanted = Object.keys(this.early.program.inputs).map((name) => [name, inputs[name]!] as const);
    await this.early.run(Object.fromEntries(wanted), this.tensors);
    const fresh = [...new Set(keys)].filter((key) => !this.rows.has(key));
    if ((this.rows.size + fresh.length) * this.rowNumbers > KEPT_NUMBERS) this.rows.clear();
    if (fresh.length * this.rowNumbers > KEPT_NUMBERS) return;
    const values = await Promise.all(Object.values(this.tensors).map((tensor) => tensor.read()));
    for (const key of fresh) this.rows.set(key, this.rowOf(values, keys.indexOf(key)));
  }

  /** Sample i's part of every tensor, one after another. */
  private rowOf(values: readonly HostArray[], i: number): Float32Array {
    const row = new Float32Array(this.rowNumbers);
    let at = 0;
    this.visit((k, block, size) => {
      row.set((values[k] as Float32Array).subarray(block + i * size, block + (i + 1) * size), at);
      at += size;
    });
    return row;
  }

  private async compose(batch: string, rows: readonly Float32Array[]): Promise<void> {
    const values = this.composed.get(batch) ?? this.gather(rows);
    this.composed.delete(batch);
    this.composed.set(batch, values); // last used, last dropped
    if (this.composed.size > KEPT_BATCHES) this.composed.delete(this.composed.keys().next().value!);
    for (const [k, tensor] of Object.values(this.tensors).entries()) await tensor.write(values[k]!);
  }

  private gather(rows: readonly Float32Array[]): readonly Float32Array<ArrayBuffer>[] {
    const values = Object.values(this.tensors).map(({ type }) => new Float32Array(elementsOf(type)));
    let at = 0;
    this.visit((k, block, size) => {
      for (const [i, row] of rows.entries()) values[k]!.set(row.subarray(at, at + size), block + i * size);
      at += size;
    });
    return values;
  }

  /** Visits every block of every tensor: its tensor, where it begins, and the size of a row in it. */
  private visit(visitor: (tensor: number, block: number, size: number) => void): void {
    for (const [k, { type }] of Object.values(this.tensors).entries()) {
      const blocks = type.shape[0]! / this.batch;
      const size = elementsOf(type) / type.shape[0]!;
      for (let block = 0; block < blocks; block++) visitor(k, block * this.batch * size, size);
    }
  }

  release(): void {
    this.early.release();
    for (const tensor of Object.values(this.tensors)) tensor.dispose();
  }
}

const elementsOf = ({ shape }: TensorType): number => shape.reduce((n, size) => n * size, 1);

/** Whether results can be kept in rows: float32, and as many first-axis entries as samples, or a multiple. */
export const hasRows = (types: Readonly<Record<string, TensorType>>, batch: number): boolean =>
  Object.values(types).every(({ dtype, shape }) => dtype === "float32" && shape.length > 0 && shape[0]! % batch === 0);
