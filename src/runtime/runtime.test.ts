import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bytesOf, type DType, type HostArray, hostArray, type TensorType } from "../graph/dtype.js";
import { encodeModel, type OnnxNode } from "../onnx/model.js";
import { ModelProtoSchema } from "../onnx/onnx_pb.js";
import { evaluate, matmulRate, openRuntime, peakMemory, type RuntimeKind } from "./index.js";
import type { DeviceTensor, Executable, HostTensor, Program, Runtime } from "./runtime.js";
import { workerUrl } from "./workerUrl.js";

type Triple = [DeviceTensor, DeviceTensor, DeviceTensor];
type Types = Record<string, TensorType>;

const node = (type: string, inputs: string[], output: string, rest: Partial<OnnxNode> = {}): OnnxNode => ({
  name: output,
  type,
  inputs,
  outputs: [output],
  ...rest,
});

const programOf = (name: string, nodes: OnnxNode[], inputs: Types, outputs: Types): Program => ({
  name,
  bytes: encodeModel({ name, nodes, constants: [], inputs, outputs }),
  inputs,
  outputs,
});

const tensorType = (dtype: DType, ...shape: number[]): TensorType => ({ dtype, shape });
const float = (...shape: number[]) => tensorType("float32", ...shape);
const floats = (...values: number[]) => Float32Array.from(values);

/** y = x + d */
const adding = (type: TensorType) =>
  programOf("add", [node("Add", ["x", "d"], "y")], { x: type, d: type }, { y: type });
const identity = (type: TensorType) => programOf("identity", [node("Identity", ["x"], "y")], { x: type }, { y: type });

/** `count` products of x by w. */
const products = (side: number, count: number): Program => {
  const names = ["x", ...Array.from({ length: count - 1 }, (_, i) => `x${i}`), "y"];
  const nodes = names.slice(1).map((name, i) => node("Gemm", [names[i]!, "w"], name));
  return programOf("products", nodes, { x: float(side, side), w: float(side, side) }, { y: float(side, side) });
};

/** 0, 1, 2 … in the form of any type; booleans alternate. */
const counting = ({ dtype, shape }: TensorType): HostArray => {
  const data = hostArray(dtype, shape);
  for (let i = 0; i < data.length; i++)
    if (data instanceof BigInt64Array) data[i] = BigInt(i);
    else data[i] = dtype === "bool" ? i % 2 : i;
  return data;
};

const THREADS = 2;
const worker = fileURLToPath(workerUrl(import.meta.url, "./portable/worker.js"));
const kinds: { kind: RuntimeKind; absent: string | null }[] = [
  { kind: "native", absent: null },
  { kind: "portable", absent: existsSync(worker) ? null : "dist/ is not built: run `npm run build` first" },
];

describe.each(kinds)("$kind runtime", ({ kind, absent }) => {
  if (absent) {
    test.skip(`skipped: ${absent}`, () => {});
    return;
  }
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await openRuntime({ kind, threads: THREADS });
  });
  afterAll(() => runtime.close());

  test("says what it is", () => {
    expect(runtime).toMatchObject({ name: `${kind}-cpu`, threads: THREADS });
    expect(runtime.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(runtime.fallbackReason).toBeUndefined();
  });

  describe.each(["float32", "float16", "float64", "int64", "int32", "uint8", "bool"] as const)("%s", (dtype) => {
    test.each([[[]], [[1]], [[5]], [[2, 3]], [[0]], [[2, 0, 3]]])("of shape %j passes through", async (shape) => {
      const type = tensorType(dtype, ...shape);
      const x = counting(type);
      const { y } = await evaluate(runtime, identity(type), { x });
      expect(y).toEqual(x);
    });

    test("starts at zero, takes a write, and copies both ways", async () => {
      const type = tensorType(dtype, 4);
      const given = counting(type);
      const tensor = runtime.tensor(type);
      expect(await tensor.read()).toEqual(hostArray(dtype, [4]));
      await tensor.write(given);
      const initialised = runtime.tensor(type, given);
      given.set(hostArray(dtype, [4]) as never);
      for (const t of [tensor, initialised]) {
        (await t.read()).reverse();
        expect(await t.read()).toEqual(counting(type));
        t.dispose();
      }
    });
  });

  test("computes element-wise programs, products and operations of com.microsoft", async () => {
    const sum = await evaluate(runtime, adding(float(3)), { x: floats(1, 2, 3), d: floats(10, 20, 30) });
    expect(sum.y).toEqual(floats(11, 22, 33));
    const product = programOf(
      "matmul",
      [node("MatMul", ["a", "b"], "y")],
      { a: float(2, 2), b: float(2, 1) },
      { y: float(2, 1) },
    );
    expect((await evaluate(runtime, product, { a: floats(1, 2, 3, 4), b: floats(5, 6) })).y).toEqual(floats(17, 39));
    const fused = node("FusedMatMul", ["a", "a"], "y", {
      domain: "com.microsoft",
      attributes: { transB: 1, alpha: { float: 2 } },
    });
    const gram = programOf("fused", [fused], { a: float(1, 2) }, { y: float(1, 1) });
    expect((await evaluate(runtime, gram, { a: floats(3, 4) })).y).toEqual(floats(50));
  });

  test("takes the newest format that is promised: IR version 13, opset 26", async () => {
    const program = identity(float(2));
    const model = fromBinary(ModelProtoSchema, program.bytes);
    model.irVersion = 13n;
    model.opsetImport.find(({ domain }) => domain === "")!.version = 26n;
    const { y } = await evaluate(
      runtime,
      { ...program, bytes: toBinary(ModelProtoSchema, model) },
      { x: floats(1, 2) },
    );
    expect(y).toEqual(floats(1, 2));
  });

  test("mixes element types in one program", async () => {
    const nodes = [node("Less", ["x", "d"], "less"), node("Where", ["less", "a", "b"], "y")];
    const int = tensorType("int64", 3);
    const program = programOf(
      "where",
      nodes,
      { x: float(3), d: float(3), a: int, b: int },
      { less: tensorType("bool", 3), y: int },
    );
    const feeds = {
      x: floats(1, 5, 3),
      d: floats(2, 2, 9),
      a: BigInt64Array.of(1n, 2n, 3n),
      b: BigInt64Array.of(-1n, -2n, -(2n ** 62n)),
    };
    const { less, y } = await evaluate(runtime, program, feeds);
    expect(less).toEqual(Uint8Array.of(1, 0, 1));
    expect(y).toEqual(BigInt64Array.of(1n, -2n, 3n));
  });

  test("a double-buffered step alternates between two sets of tensors", async () => {
    const step = await runtime.compile(adding(float(2)));
    const d = runtime.tensor(float(2), floats(1, -2));
    const sets = [runtime.tensor(float(2)), runtime.tensor(float(2))] as const;
    for (let i = 0; i < 101; i++) await step.run({ x: sets[i % 2]!, d }, { y: sets[(i + 1) % 2]! });
    expect(await sets[1].read()).toEqual(floats(101, -202));
    expect(await sets[0].read()).toEqual(floats(100, -200));
  });

  test("inputs are bound by name, in whatever order they come", async () => {
    const type = float(1);
    const minus = await runtime.compile(
      programOf("minus", [node("Sub", ["x", "d"], "y")], { x: type, d: type }, { y: type }),
    );
    const [a, b, y] = [runtime.tensor(type, floats(5)), runtime.tensor(type, floats(3)), runtime.tensor(type)];
    const difference = async (inputs: Record<string, DeviceTensor>) => {
      await minus.run(inputs, { y });
      return Number((await y.read())[0]);
    };
    expect(await difference({ x: a, d: b })).toBe(2);
    expect(await difference({ d: b, x: a })).toBe(2);
    expect(await difference({ d: a, x: b })).toBe(-2);
    expect(await difference({ x: b, d: a })).toBe(-2);
  });

  test("runs of one program and of several may overlap", async () => {
    const programs = await Promise.all([adding(float(1000)), products(64, 8)].map((p) => runtime.compile(p)));
    const [d, w] = [runtime.tensor(float(1000), new Float32Array(1000).fill(1)), runtime.tensor(float(64, 64))];
    const one = async (i: number): Promise<number> => {
      const x = runtime.tensor(float(1000), new Float32Array(1000).fill(i));
      const [y, m, z] = [runtime.tensor(float(1000)), runtime.tensor(float(64, 64)), runtime.tensor(float(64, 64))];
      await Promise.all([programs[0]!.run({ x, d }, { y }), programs[1]!.run({ x: m, w }, { y: z })]);
      const [sum] = await y.read();
      for (const t of [x, y, m, z]) t.dispose();
      return Number(sum);
    };
    const sums = await Promise.all(Array.from({ length: 24 }, (_, i) => one(i)));
    expect(sums).toEqual(Array.from({ length: 24 }, (_, i) => i + 1));
  });

  test("the event loop goes on during a long run", async () => {
    const side = 768;
    const long = await runtime.compile(products(side, 40));
    const [x, w, y] = Array.from({ length: 3 }, () => runtime.tensor(float(side, side))) as [
      DeviceTensor,
      DeviceTensor,
      DeviceTensor,
    ];
    let [ended, ticks] = [false, 0];
    const run = long.run({ x, w }, { y }).finally(() => {
      ended = true;
    });
    while (!ended) {
      await sleep(1);
      if (!ended) ticks++;
    }
    await run;
    expect(ticks).toBeGreaterThan(10); // 36 Gflop: hundreds of milliseconds
    for (const tensor of [x, w, y]) tensor.dispose();
  });

  test("a thousand runs, and tensors made and disposed, do not grow memory", async () => {
    const type = float(256, 256); // 256 KiB
    const step = await runtime.compile(adding(type));
    const d = runtime.tensor(type);
    const some = async (count: number) => {
      for (let i = 0; i < count; i++) {
        const [x, y] = [runtime.tensor(type), runtime.tensor(type)];
        await step.run({ x, d }, { y });
        x.dispose();
        y.dispose();
      }
    };
    await some(200);
    const before = process.memoryUsage().rss;
    await some(1000);
    const grown = process.memoryUsage().rss - before;
    expect(grown).toBeLessThan((1000 * 2 * 65_536 * bytesOf("float32")) / 4); // kept, they would take 524 MB
  });

  test("released programs give their memory back", async () => {
    const program = products(32, 50);
    const some = async (count: number) => {
      for (let i = 0; i < count; i++) (await runtime.compile(program)).release();
    };
    await some(20);
    const before = process.memoryUsage().rss;
    await some(100);
    expect(process.memoryUsage().rss - before).toBeLessThan(60e6);
  });

  describe("errors", () => {
    const type = float(2, 3);
    let step: Executable;
    let [x, d, y] = [] as unknown as Triple;
    beforeAll(async () => {
      step = await runtime.compile(adding(type));
      [x, d, y] = [runtime.tensor(type), runtime.tensor(type), runtime.tensor(type)];
    });
    const run = (inputs: Record<string, DeviceTensor>, outputs: Record<string, DeviceTensor> = { y: y }) =>
      step.run(inputs, outputs);

    test("a tensor that is missing", async () => {
      await expect(run({ x: x })).rejects.toThrow("program add: input d is missing; it must be float32[2 3]");
      await expect(run({ x: x, d: d }, {})).rejects.toThrow(
        "program add: output y is missing; it must be float32[2 3]",
      );
    });

    test("a name that the program does not have", async () => {
      await expect(run({ x: x, d: d, e: d })).rejects.toThrow("program add: there is no input e; the program has x, d");
      await expect(run({ x: x, d: d }, { y: y, z: y })).rejects.toThrow(
        "program add: there is no output z; the program has y",
      );
    });

    test("another shape or element type", async () => {
      await expect(run({ x: x, d: runtime.tensor(float(3, 2)) })).rejects.toThrow(
        "program add: input d is float32[3 2]; it must be float32[2 3]",
      );
      await expect(run({ x: x, d: d }, { y: runtime.tensor(tensorType("int64", 2, 3)) })).rejects.toThrow(
        "program add: output y is int64[2 3]; it must be float32[2 3]",
      );
    });

    test("an output that is also an input", async () => {
      await expect(run({ x: x, d: d }, { y: x })).rejects.toThrow(
        "program add: output y is also bound as another input or output",
      );
    });

    test("a tensor of another runtime", async () => {
      const foreign: DeviceTensor = { type, write: async () => {}, read: async () => floats(), dispose: () => {} };
      await expect(run({ x: x, d: foreign })).rejects.toThrow("program add: input d was made by another runtime");
    });

    test("a disposed tensor, also where it was bound before", async () => {
      const gone = runtime.tensor(type);
      await run({ x: gone, d: d });
      gone.dispose();
      gone.dispose();
      await expect(run({ x: gone, d: d })).rejects.toThrow("program add: input x was disposed");
      await expect(gone.read()).rejects.toThrow("the tensor, float32[2 3], was disposed");
      await expect(gone.write(new Float32Array(6))).rejects.toThrow("the tensor, float32[2 3], was disposed");
    });

    test("an array of another kind or length", async () => {
      await expect(x.write(new Float32Array(5))).rejects.toThrow(
        "float32[2 3] takes a Float32Array of 6, got a Float32Array of 5",
      );
      await expect(x.write(new Float64Array(6))).rejects.toThrow(
        "float32[2 3] takes a Float32Array of 6, got a Float64Array of 6",
      );
      expect(() => runtime.tensor(float(), new Float32Array(0))).toThrow(
        "float32[] takes a Float32Array of 1, got a Float32Array of 0",
      );
    });

    test("bytes that are no model, and a model that is wrong", async () => {
      const broken = { name: "broken", bytes: Uint8Array.of(1, 2, 3, 4), inputs: {}, outputs: {} };
      await expect(runtime.compile(broken)).rejects.toThrow(/^program broken, 4 bytes: .*protobuf/i);
      const unknown = programOf("unknown", [node("NoSuchOp", ["x"], "y")], { x: type }, { y: type });
      await expect(runtime.compile(unknown)).rejects.toThrow(/^program unknown, \d+ bytes: .*NoSuchOp/);
    });

    test("a run that fails, after which the runtime goes on", async () => {
      const index = tensorType("int64", 1);
      const gather = programOf("gather", [node("Gather", ["x", "i"], "y")], { x: float(2), i: index }, { y: float(1) });
      await expect(evaluate(runtime, gather, { x: floats(7, 8), i: BigInt64Array.of(5n) })).rejects.toThrow(
        /^program gather: .*indices element out of data bounds/,
      );
      expect((await evaluate(runtime, gather, { x: floats(7, 8), i: BigInt64Array.of(1n) })).y).toEqual(floats(8));
    });

    test("a program that was released; the run in progress still ends", async () => {
      const last = await runtime.compile(adding(type));
      const one = runtime.tensor(type, new Float32Array(6).fill(1));
      const sum = runtime.tensor(type);
      const running = last.run({ x: one, d: one }, { y: sum });
      last.release();
      last.release();
      await running;
      expect(await sum.read()).toEqual(new Float32Array(6).fill(2));
      await expect(last.run({ x: one, d: one }, { y: sum })).rejects.toThrow("program add: was released");
    });
  });

  test("the rate of matrix products is plausible", async () => {
    const { gflops, spread } = await matmulRate(runtime);
    expect(gflops).toBeGreaterThan(1);
    expect(gflops).toBeLessThan(100_000);
    expect(spread).toBeGreaterThanOrEqual(0);
  });

  test("closing waits for the runs in progress; afterwards nothing can be made", async () => {
    const other = await openRuntime({ kind, threads: THREADS });
    const type = float(2);
    const add = await other.compile(adding(type));
    const [x, y] = [other.tensor(type, floats(1, 2)), other.tensor(type)];
    let ended = false;
    const running = add.run({ x, d: x }, { y }).then(() => {
      ended = true;
    });
    await other.close();
    expect(ended).toBe(true);
    await running;
    await other.close();
    expect(() => other.tensor(type)).toThrow("the runtime was closed");
    await expect(other.compile(adding(type))).rejects.toThrow("the runtime was closed");
  });
});

describe("the native runtime", () => {
  test("exposes the contents of a tensor without a copy", async () => {
    const runtime = await openRuntime({ kind: "native", threads: 1 });
    const tensor = runtime.tensor(float(2)) as HostTensor;
    tensor.data.set(floats(3, 4) as never);
    expect(await tensor.read()).toEqual(floats(3, 4));
    tensor.dispose();
    expect(() => tensor.data).toThrow("the tensor, float32[2], was disposed");
    await runtime.close();
  });

  test("has one number of threads at a time in a process", async () => {
    const runtime = await openRuntime({ kind: "native", threads: 1 });
    await expect(openRuntime({ kind: "native", threads: 3 })).rejects.toThrow(
      "a runtime with 1 threads is open in this process; close it before opening one with 3",
    );
    await runtime.close();
    await (await openRuntime({ kind: "native", threads: 3 })).close();
  });
});

test.skipIf(kinds[1]!.absent !== null)("falls back to the portable runtime, and keeps the reason", async () => {
  const native = await openRuntime({ kind: "native", threads: 1 });
  const fallback = await openRuntime({ threads: 3 });
  expect(fallback.name).toBe("portable-cpu");
  expect(fallback.fallbackReason).toMatch(/a runtime with 1 threads is open in this process/);
  await Promise.all([native.close(), fallback.close()]);
});

test.each(kinds.filter(({ absent }) => absent === null))(
  "the $kind runtime opens with threads that do not spin",
  async ({ kind }) => {
    const runtime = await openRuntime({ kind, threads: 2, spin: false });
    const { y } = await evaluate(runtime, adding(float(1)), { x: floats(1), d: floats(2) });
    expect(y).toEqual(floats(3));
    await runtime.close();
  },
);

test("finds a worker beside compiled modules, and in dist/ from source", () => {
  const at = (asking: string) => workerUrl(asking, "./worker.js").href;
  expect(at("file:///src/soflow/dist/a/b.js")).toBe("file:///src/soflow/dist/a/worker.js");
  expect(at("file:///src/soflow/src/a/b.ts")).toBe("file:///src/soflow/dist/a/worker.js");
});

test("the peak of memory is at least what is resident now", () => {
  expect(peakMemory()).toBeGreaterThan(process.memoryUsage().rss / 2);
});
