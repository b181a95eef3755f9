import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pullback, pushforward } from "../src/autodiff/index.js";
import { type HostArray, hostArray, isFloat, sizeOf, type TensorType } from "../src/graph/dtype.js";
import type { Example, ExampleInput, NdArray, Op } from "../src/graph/op.js";
import type { Tensor } from "../src/graph/tensor.js";
import { lower } from "../src/onnx/index.js";
import { applyOp } from "../src/ops/define.js";
import { input, inputName } from "../src/ops/index.js";
import { key } from "../src/random/random.js";
import { evaluate, openRuntime, type Runtime } from "../src/runtime/index.js";

/** Every operation that a module under src/ops exports; a program input is none, having no value to compute. */
const loadOps = async (): Promise<Op[]> => {
  const folder = new URL("../src/ops/", import.meta.url);
  const files = readdirSync(folder).filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"));
  const modules = await Promise.all(files.map((file) => import(new URL(file, folder).href) as Promise<object>));
  const ops = modules.flatMap((module) => Object.values(module)).flatMap((value: unknown) => opOf(value));
  return [...new Map(ops.map((op) => [op.name, op])).values()];
};

const opOf = (value: unknown): Op[] => {
  const candidate = (value as { op?: Op } | null)?.op ?? (value as Op | null);
  return candidate && typeof candidate === "object" && "infer" in candidate && candidate.examples.length > 0
    ? [candidate]
    : [];
};

const typeOf = (example: ExampleInput): TensorType =>
  "shape" in example
    ? { dtype: example.dtype ?? "float32", shape: example.shape }
    : { dtype: "float32", shape: example };

const draw = (example: ExampleInput, seed: number): Float64Array => {
  const { dtype, shape } = typeOf(example);
  const { below = 5, range = [-2, 2] } = "shape" in example ? example : {};
  const u = key(seed).fold("conformance").uniform(sizeOf(shape));
  if (dtype === "bool") return Float64Array.from(u, (x) => Number(x > 0.5));
  if (!isFloat(dtype)) return Float64Array.from(u, (x) => Math.floor(x * below));
  const [low = 0, high = 0] = range;
  return Float64Array.from(u, (x) => Math.fround(low + (high - low) * x));
};

const toHost = (values: Float64Array, { dtype, shape }: TensorType): HostArray => {
  const data = hostArray(dtype, shape);
  for (let i = 0; i < values.length; i++)
    data[i] = dtype === "int64" ? (BigInt(values[i]!) as never) : (values[i]! as never);
  return data;
};

/** One example made concrete: symbolic inputs, their values, the outputs, and values by input name. */
const setUp = (op: Op, example: Example, seed = 1) => {
  const types = example.inputs.map(typeOf);
  const xs = types.map((type, i) => input(`x${i}`, type));
  const values = example.inputs.map((spec, i) => draw(spec, seed + i));
  const arrays: NdArray[] = values.map((data, i) => ({ shape: types[i]!.shape, data }));
  const ys = applyOp(op, xs, example.attributes);
  const feeds = Object.fromEntries(values.map((data, i) => [`x${i}`, toHost(data, types[i]!)]));
  return { types, xs, ys, arrays, feeds, floats: xs.flatMap((x, i) => (isFloat(x.dtype) ? [i] : [])) };
};

const random = (name: string, n: number, seed: number): Float64Array =>
  Float64Array.from(key(seed).fold(name).normal(n), (z) => Math.fround(z));

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

const numbers = (data: HostArray): number[] => Array.from(data as ArrayLike<number | bigint>, Number);

const expectClose = (actual: ArrayLike<number>, wanted: ArrayLike<number>, tolerance: number): void => {
  expect(actual.length).toBe(wanted.length);
  const scale = Math.max(1, ...Array.from(wanted, Math.abs));
  const worst = Math.max(0, ...Array.from(wanted, (value, i) => Math.abs(value - actual[i]!)));
  expect(worst / scale).toBeLessThan(tolerance);
};

const ops = await loadOps();
let runtime: Runtime;
let portable: Runtime;
beforeAll(async () => {
  runtime = await openRuntime({ kind: "native", threads: 1 });
  portable = await openRuntime({ kind: "portable", threads: 1 });
});
afterAll(async () => {
  await runtime?.close();
  await portable?.close();
});

const run = (outputs: Record<string, Tensor>, feeds: Record<string, HostArray>, on = runtime) =>
  evaluate(on, lower("conformance", outputs), feeds);

test("the operations are found", () => {
  expect(ops.length).toBeGreaterThan(40);
});

describe.each(ops.map((op) => [op.name, op] as const))("%s", (name, op) => {
  const examples = op.examples.map((example, i) => [i, example] as const);

  test.each(op.rejects.map((reject) => [String(reject.message), reject] as const))(
    "rejects bad input: %s",
    (_, reject) => {
      for (const { message, inputs, attributes } of [reject]) {
        const build = () =>
          applyOp(
            op,
            inputs.map((spec, i) => input(`x${i}`, typeOf(spec))),
            attributes,
          );
        expect(build).toThrow(message);
        expect(build).toThrow(`${name}: `);
      }
    },
  );

  const runtimes = examples.flatMap(([i, example]) => [
    [i, "native", example, () => runtime] as const,
    [i, "portable", example, () => portable] as const,
  ]);

  test.each(runtimes)("example %i: ONNX Runtime (%s) agrees with the float64 reference", async (_, __, example, on) => {
    const { ys, arrays, feeds } = setUp(op, example);
    const types = ys.map((y) => y.type);
    const wanted = op.reference(arrays, example.attributes ?? {}, types);
    const got = await run(Object.fromEntries(ys.map((y, i) => [`y${i}`, y])), feeds, on());
    ys.forEach((y, i) => {
      expect(wanted[i]!.shape).toEqual(y.shape);
      expectClose(numbers(got[`y${i}`]!), wanted[i]!.data, 1e-5);
    });
  });

  test.each(examples)("example %i: jvp is the central difference, vjp its adjoint", async (_, example) => {
    const { xs, ys, arrays, feeds, types, floats } = setUp(op, example);
    const outputs = ys.flatMap((y, k) => (isFloat(y.dtype) ? [k] : []));
    if (floats.length === 0 || outputs.length === 0) return;
    const directions = floats.map((i) => random(`dx${i}`, sizeOf(types[i]!.shape), 2));
    const dxs = floats.map((i) => input(`dx${i}`, types[i]!));
    const cts = outputs.map((k) => input(`ct${k}`, ys[k]!.type));
    const tangents = pushforward(
      outputs.map((k) => ys[k]!),
      floats.map((i) => xs[i]!),
      dxs,
    );
    const cotangents = pullback(
      outputs.map((k) => ys[k]!),
      cts,
      floats.map((i) => xs[i]!),
    );
    const ctValues = outputs.map((k) => random(`ct${k}`, sizeOf(ys[k]!.shape), 3));
    const wanted: Record<string, Tensor> = {};
    for (const [k, t] of tangents.entries()) if (t) wanted[`dy${k}`] = t;
    for (const [k, t] of cotangents.entries()) if (t) wanted[`cx${k}`] = t;
    if (Object.keys(wanted).length === 0) return;
    for (const [k, i] of floats.entries()) feeds[`dx${i}`] = toHost(directions[k]!, types[i]!);
    for (const [j, k] of outputs.entries()) feeds[`ct${k}`] = toHost(ctValues[j]!, ys[k]!.type);
    const got = await run(wanted, feeds);

    // jvp ≈ (f(x + h dx) − f(x − h dx)) / 2h, in float64
    const h = 1e-5;
    const moved = (sign: number) =>
      op.reference(
        arrays.map((x, i) => {
          const k = floats.indexOf(i);
          return k < 0 ? x : { shape: x.shape, data: x.data.map((value, j) => value + sign * h * directions[k]![j]!) };
        }),
        example.attributes ?? {},
        ys.map((y) => y.type),
      );
    const [plus, minus] = [moved(1), moved(-1)];
    const byDecree = name === "stopGradient";
    outputs.forEach((k, j) => {
      const difference = plus[k]!.data.map((value, i) => (value - minus[k]!.data[i]!) / (2 * h));
      const tangent = got[`dy${j}`] ? numbers(got[`dy${j}`]!) : difference.map(() => 0);
      if (!byDecree) expectClose(tangent, difference, 2e-4);
    });

    // ⟨ȳ, jvp dx⟩ = ⟨vjp ȳ, dx⟩
    const pushed = outputs.reduce(
      (sum, _k, j) => sum + (got[`dy${j}`] ? dot(ctValues[j]!, numbers(got[`dy${j}`]!)) : 0),
      0,
    );
    const pulled = floats.reduce(
      (sum, _i, k) => sum + (got[`cx${k}`] ? dot(directions[k]!, numbers(got[`cx${k}`]!)) : 0),
      0,
    );
    expect(Math.abs(pushed - pulled) / Math.max(1, Math.abs(pushed))).toBeLessThan(1e-4);
  });

  test.each(examples)(
    "example %i: the derivative of vjp along a direction is its central difference",
    async (_, example) => {
      const { xs, ys, feeds, types, floats } = setUp(op, example, 5);
      const [k] = ys.flatMap((y, i) => (isFloat(y.dtype) ? [i] : []));
      if (k === undefined || floats.length === 0) return;
      const ct = input("ct", ys[k]!.type);
      feeds.ct = toHost(random("ct", sizeOf(ys[k]!.shape), 6), ys[k]!.type);
      const directions = floats.map((i) => random(`dx${i}`, sizeOf(types[i]!.shape), 7));
      const h = 2e-3;
      for (const i of floats) {
        const [pulled] = pullback([ys[k]!], [ct], [xs[i]!]);
        if (!pulled) continue;
        const dxs = floats.map((j) => input(`dx${j}`, types[j]!));
        const [second] = pushforward(
          [pulled],
          floats.map((j) => xs[j]!),
          dxs,
        );
        const along = { ...feeds };
        for (const [p, j] of floats.entries()) along[`dx${j}`] = toHost(directions[p]!, types[j]!);
        const shifted = (sign: number) => {
          const copy = { ...feeds };
          floats.forEach((j, p) => {
            const x = numbers(feeds[`x${j}`]!);
            copy[`x${j}`] = toHost(
              Float64Array.from(x, (value, n) => value + sign * h * directions[p]![n]!),
              types[j]!,
            );
          });
          return run({ pulled }, copy);
        };
        const [plus, minus] = [numbers((await shifted(1)).pulled!), numbers((await shifted(-1)).pulled!)];
        const difference = plus.map((value, n) => (value - minus[n]!) / (2 * h));
        const tangent =
          second && !inputName(second) ? numbers((await run({ second }, along)).second!) : difference.map(() => 0);
        expectClose(tangent, difference, 1e-2);
      }
    },
  );
});
