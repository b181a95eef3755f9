import { afterAll, beforeAll, expect } from "vitest";
import { type HostArray, hostArray, type Shape, sizeOf, type TensorType } from "../src/graph/dtype.js";
import type { NdArray } from "../src/graph/op.js";
import type { Tensor } from "../src/graph/tensor.js";
import { ancestors } from "../src/graph/walk.js";
import { lower } from "../src/onnx/index.js";
import { input, inputName } from "../src/ops/index.js";
import { key } from "../src/random/random.js";
import { evaluate, openRuntime, type Runtime } from "../src/runtime/index.js";

/** Values of program inputs by name, row-major. */
export type Feeds = Readonly<Record<string, ArrayLike<number>>>;

/** A float32 program input. */
export const float = (name: string, ...shape: number[]): Tensor => input(name, { dtype: "float32", shape });

/** Standard normal numbers that depend on the name alone, exact in float32. */
export const gaussian = (name: string, shape: Shape): Float64Array =>
  Float64Array.from(key(7).fold(name).normal(sizeOf(shape)));

/** The values of `outputs` by the definition of every operation, in float64 and without any simplification. */
export const referenceValues = (outputs: readonly Tensor[], feeds: Feeds): Float64Array[] => {
  const known = new Map<Tensor, NdArray>();
  for (const node of ancestors(outputs)) {
    const name = node.outputs[0] && inputName(node.outputs[0]);
    const results =
      name === undefined
        ? node.op.reference(
            node.inputs.map((x) => known.get(x)!),
            node.attributes,
            node.outputs.map((y) => y.type),
          )
        : [{ shape: node.outputs[0]!.shape, data: Float64Array.from(fed(feeds, name)) }];
    node.outputs.forEach((y, i) => {
      known.set(y, results[i]!);
    });
  }
  return outputs.map((y) => known.get(y)!.data);
};

const fed = (feeds: Feeds, name: string): ArrayLike<number> => {
  const values = feeds[name];
  if (!values) throw new Error(`the test feeds no ${name}`);
  return values;
};

/** The reference value of one tensor. */
export const referenceOf = (output: Tensor, feeds: Feeds = {}): Float64Array => referenceValues([output], feeds)[0]!;

const toHost = (values: ArrayLike<number>, { dtype, shape }: TensorType): HostArray => {
  const data = hostArray(dtype, shape);
  if (data instanceof BigInt64Array) for (let i = 0; i < data.length; i++) data[i] = BigInt(values[i]!);
  else data.set(values);
  return data;
};

export const numbers = (data: HostArray): number[] => Array.from(data as ArrayLike<number | bigint>, Number);

/** A runtime with one thread for the tests of a file: `run(outputs, feeds)` lowers, runs and gives numbers. */
export const testRuntime = () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await openRuntime({ threads: 1 });
  });
  afterAll(() => runtime?.close());
  return async (outputs: Readonly<Record<string, Tensor>>, feeds: Feeds = {}): Promise<Record<string, number[]>> => {
    const program = lower("test", outputs);
    const hosts = Object.entries(program.inputs).map(([name, type]) => [name, toHost(fed(feeds, name), type)]);
    const results = await evaluate(runtime, program, Object.fromEntries(hosts));
    return Object.fromEntries(Object.entries(results).map(([name, data]) => [name, numbers(data)]));
  };
};

/** Largest difference, relative to the largest wanted magnitude or to 1. */
export const distance = (actual: ArrayLike<number>, wanted: ArrayLike<number>): number => {
  expect(actual.length).toBe(wanted.length);
  const scale = Math.max(1, ...Array.from(wanted, Math.abs));
  return Math.max(0, ...Array.from(wanted, (value, i) => Math.abs(value - actual[i]!))) / scale;
};
