import { fromBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { float, gaussian, referenceOf, testRuntime } from "../../tests/engine.js";
import { gradients } from "../autodiff/index.js";
import type { Tensor } from "../graph/tensor.js";
import { DIT_SIZES, dit } from "../models/dit.js";
import { Scope } from "../nn/index.js";
import { constant, gelu, input, matmul, mul } from "../ops/index.js";
import { evaluate, openRuntime, type RuntimeKind } from "../runtime/index.js";
import { lower } from "./index.js";
import { type GraphProto, ModelProtoSchema } from "./onnx_pb.js";

const decode = (outputs: Readonly<Record<string, Tensor>>): GraphProto =>
  fromBinary(ModelProtoSchema, lower("test", outputs).bytes).graph!;
const types = (outputs: Readonly<Record<string, Tensor>>): string[] => decode(outputs).node.map((n) => n.opType);
const [x, w, b] = [float("x", 4, 3), float("w", 2, 3), float("b", 2)];
const product = () => matmul(x, w, { transposeB: true, alpha: 0.5 });
const run = testRuntime();

test("the model states its version, its inputs and its outputs", () => {
  const program = lower("test", { y: product() });
  const model = fromBinary(ModelProtoSchema, program.bytes);
  expect([model.irVersion, model.producerName, model.graph!.name]).toEqual([10n, "soflow", "test"]);
  expect(model.opsetImport.map(({ domain, version }) => [domain, version])).toEqual([["", 21n]]);
  const own = fromBinary(ModelProtoSchema, lower("test", { y: gelu(x) }).bytes);
  expect(own.opsetImport.map(({ domain, version }) => [domain, version])).toEqual([
    ["", 21n],
    ["com.microsoft", 1n],
  ]);
  expect(model.graph!.input.map(({ name }) => name)).toEqual(["x", "w"]);
  expect(model.graph!.output.map(({ name }) => name)).toEqual(["y"]);
  expect(program.inputs).toEqual({ x: x.type, w: w.type });
  expect(program.outputs).toEqual({ y: { dtype: "float32", shape: [4, 2] } });
});

test.each([
  ["product + bias", () => product().add(b)],
  ["bias + product", () => b.add(product())],
])("Gemm takes the bias of %s", async (_, build) => {
  const y = build();
  const [node] = decode({ y }).node;
  expect(types({ y })).toEqual(["Gemm"]);
  expect(node!.input).toEqual(["x", "w", "b"]);
  const feeds = { x: gaussian("x", [4, 3]), w: gaussian("w", [2, 3]), b: gaussian("b", [2]) };
  const wanted = referenceOf(y, feeds);
  (await run({ y }, feeds)).y!.forEach((value, i) => {
    expect(value).toBeCloseTo(wanted[i]!, 5);
  });
});

test("but not where the product is needed itself, or the bias is no row", () => {
  const shared = product();
  expect(types({ y: shared.add(b), z: shared })).toEqual(["Gemm", "Add"]);
  expect(types({ y: product().add(float("column", 4, 1)) })).toEqual(["Gemm", "Add"]);
  expect(types({ y: product().add(1) })).toEqual(["Gemm", "Add"]);
  expect(types({ y: product().add(float("more", 3, 1, 1)) })).toEqual(["Gemm", "Add"]);
});

test("a result that is an input, a constant or another result is copied under its name", async () => {
  const y = gelu(x);
  const results = await run({ same: x, number: constant([7], []), y, again: y.mul(1) }, { x: gaussian("x", [4, 3]) });
  expect(results.same).toEqual([...gaussian("x", [4, 3])]);
  expect(results.number).toEqual([7]);
  expect(results.again).toEqual(results.y);
});

test("one name for an input and an output, or for two inputs of different types, is an error", () => {
  expect(() => lower("step", { x: gelu(x) })).toThrow("program step: x names both an input and an output");
  expect(() => lower("step", { y: x.mul(float("x", 3)) })).toThrow("input x is both float32[4 3] and float32[3]");
});

test("small constants of equal content are stored once", () => {
  const y = mul(x.reshape([2, 6]), 2)
    .reshape([12])
    .mul(2)
    .reshape([2, 6])
    .add(2);
  expect(decode({ y }).initializer.map(({ dims }) => dims.map(Number))).toEqual([[2], [], [1]]);
});

test("nodes are named by the part of the network that made them", () => {
  const scope = new Scope();
  const layer = scope.at("mlp").build((at) =>
    gelu(
      matmul(
        x,
        at.at("fc1").parameter("weight", [3, 3], () => new Float32Array(9)),
      ),
    ),
  );
  expect(decode({ y: layer }).node.map(({ name }) => name.replace(/_\d+$/, ""))).toEqual(["mlp/Gemm", "mlp/FastGelu"]);
});

test("gradients that only leave the program come last, the earliest ready at the very end", () => {
  const weights = [0, 1, 2].map((i) => float(`w${i}`, 3, 3));
  const loss = weights.reduce<Tensor>((h, weight) => gelu(matmul(h, weight)), x).sum();
  const slopes = gradients(loss, weights);
  const graph = decode(Object.fromEntries(slopes.map((slope, i) => [`slope${i}`, slope])));
  expect(graph.node.slice(-3).map(({ output }) => output[0])).toEqual(["slope0", "slope1", "slope2"]);
});

test("weights stay outside: DiT-B/4 with its 131 million parameters is a program of less than 1 MB", () => {
  const size = DIT_SIZES["DiT-B/4"];
  const model = dit({ ...size, imageSize: 32, channels: 4, classes: 1000, nullLabel: true });
  const scope = new Scope();
  const time = float("t", 2, 1, 1, 1);
  const y = model(scope, {
    x: float("x", 2, 4, 32, 32),
    t: time,
    s: float("s", 2, 1, 1, 1),
    y: input("y", { dtype: "int64", shape: [2] }),
  });
  const program = lower("network", { velocity: y });
  expect(Object.keys(program.inputs).length).toBe(4 + scope.parameters.length);
  expect(program.bytes.byteLength).toBeLessThan(1e6);
  const largest = Math.max(...decode({ velocity: y }).initializer.map(({ rawData }) => rawData.byteLength));
  expect(largest).toBe(4 * 64 * 768); // the position codes
});

test("a second name for a result comes right after it, so that ONNX Runtime computes nothing earlier for its sake", () => {
  const h = product();
  const { node } = decode({ g: h, again: h.mul(1), later: gelu(h.add(b)) });
  expect(node.map(({ output }) => output[0])).toEqual(["g", "again", expect.anything(), "later"]);
});

test.each<RuntimeKind>(["native", "portable"])("weights given for good are no inputs (%s)", async (kind) => {
  const runtime = await openRuntime({ kind, threads: 1 });
  const given = { w: Float32Array.from(gaussian("w", [2, 3])), unused: Float32Array.of(1) };
  const program = lower("test", { y: product() }, { given });
  expect(Object.keys(program.inputs)).toEqual(["x"]);
  expect(Object.keys(program.fixed!)).toEqual(["w"]);
  const wanted = referenceOf(product(), { x: gaussian("x", [4, 3]), w: gaussian("w", [2, 3]) });
  const { y } = await evaluate(runtime, program, { x: Float32Array.from(gaussian("x", [4, 3])) });
  y!.forEach((value: number | bigint, i: number) => {
    expect(Number(value)).toBeCloseTo(wanted[i]!, 5);
  });
  await runtime.close();
});

test.each<RuntimeKind>(["native", "portable"])("many weights are bound and not copied (%s)", async (kind) => {
  const [rows, columns] = [4200, 4096];
  const runtime = await openRuntime({ kind, threads: 1 });
  const w = Float32Array.from({ length: rows * columns }, (_, i) => ((i % 7) - 3) / 8);
  const v = Float32Array.from({ length: columns }, (_, i) => ((i % 5) - 2) / 4);
  const y = matmul(float("v", 1, columns), float("many", rows, columns), { transposeB: true });
  const program = lower("test", { y }, { given: { many: w } });
  expect(program.fixed).toBeUndefined();
  expect([Object.keys(program.inputs), Object.keys(program.bound!)]).toEqual([["v"], ["many"]]);
  const got = (await evaluate(runtime, program, { v })).y as Float32Array;
  const wanted = (n: number) => v.reduce((sum, value, k) => sum + value * w[n * columns + k]!, 0);
  for (const n of [0, 1, 2100, rows - 1]) expect(got[n]).toBeCloseTo(wanted(n), 2);
  await runtime.close();
});
