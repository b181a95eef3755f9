import { fromBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gaussian, referenceOf } from "../../tests/engine.js";
import type { HostArray } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";
import { ancestors } from "../graph/walk.js";
import { dit } from "../models/dit.js";
import { Scope } from "../nn/index.js";
import { input, inputName, matmulNBits } from "../ops/index.js";
import { evaluate, openRuntime, type Runtime } from "../runtime/index.js";
import { fuseAttention, lower, quantise, simplify } from "./index.js";
import { ModelProtoSchema } from "./onnx_pb.js";
import { pack } from "./quantise.js";

/** What is done to programs whose weights are given: the numbers stay, or move as little as stated. */

const CONFIG = { imageSize: 8, channels: 2, patch: 2, width: 192, depth: 2, heads: 3, classes: 3, nullLabel: true };
const image = { dtype: "float32", shape: [2, 2, 8, 8] } as const;
const time = { dtype: "float32", shape: [2, 1, 1, 1] } as const;
const scope = new Scope();
const F = dit(CONFIG)(scope, {
  x: input("x", image),
  t: input("t", time),
  s: input("s", time),
  y: input("y", { dtype: "int64", shape: [2] }),
});
const outputs = { F: simplify([F])[0]! };
const weights: Record<string, HostArray> = Object.fromEntries(
  scope.parameters.map(({ tensor }) => {
    const name = inputName(tensor)!;
    const scale = 1 / Math.sqrt(tensor.shape.length > 1 ? tensor.shape.slice(1).reduce((n, d) => n * d, 1) : 100);
    return [name, Float32Array.from(gaussian(name, tensor.shape), (z) => scale * z)];
  }),
);
const feeds = {
  x: Float32Array.from(gaussian("x", image.shape)),
  t: Float32Array.of(1, 0.7),
  s: Float32Array.of(0, 0.2),
  y: BigInt64Array.of(1n, 3n),
};

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openRuntime({ threads: 1 });
});
afterAll(() => runtime.close());

type Ready = { outputs: Readonly<Record<string, Tensor>>; given: Readonly<Record<string, HostArray>> };
const types = (ready: Ready): string[] =>
  fromBinary(ModelProtoSchema, lower("test", ready.outputs, ready).bytes).graph!.node.map(({ opType }) => opType);
const count = (ready: Ready, type: string): number => types(ready).filter((own) => own === type).length;
const values = async (ready: Ready): Promise<Float32Array> =>
  (await evaluate(runtime, lower("test", ready.outputs, ready), feeds)).F as Float32Array;
const distance = (a: Float32Array, b: Float32Array): number =>
  Math.hypot(...a.map((value, i) => value - b[i]!)) / Math.hypot(...b);

describe("attention", () => {
  test("is one operation in every block, with the same result", async () => {
    const fused = fuseAttention(outputs, weights);
    expect(count(fused, "Attention")).toBe(2);
    expect(types(fused)).not.toContain("Softmax");
    expect(distance(await values(fused), await values({ outputs, given: weights }))).toBeLessThan(1e-6);
  });

  test("stays as it is where its weights are not given", () => {
    expect(count(fuseAttention(outputs, {}), "Attention")).toBe(0);
  });

  test("says so when a derivative of it is asked for", () => {
    const nodes = ancestors(Object.values(fuseAttention(outputs, weights).outputs));
    const at = nodes.find(({ op }) => op.name === "attention")!;
    expect(() => at.op.vjp(at, at.outputs, 0)).toThrow("attention is fused after derivatives have been taken");
  });
});

describe("weights in whole numbers", () => {
  test.each([
    [8, 0.02],
    [4, 0.2],
  ] as const)("%i bits: large weights alone, near the result in float32", async (bits, limit) => {
    const packed = quantise(outputs, weights, bits);
    expect(count(packed, "MatMulNBits")).toBe(2 * 4 + 1); // qkv, fc1, fc2 and adaLN of two blocks, adaLN of the last layer
    const moved = distance(await values(packed), await values({ outputs, given: weights }));
    expect(moved).toBeLessThan(limit);
    expect(moved).toBeGreaterThan(limit / 100);
  });

  test.each([4, 8] as const)("%i bits: no weight is further than half a level away; zeros are exact", (bits) => {
    const [N, K, block] = [3, 64, 32];
    const w = Float32Array.from(gaussian("w", [N, K]));
    w.fill(0, K, K + block); // a block of zeros has the scale 0
    const { packed, scales } = pack(w, block, bits);
    const rows = input("x", { dtype: "float32", shape: [K, K] });
    const levels = input("packed", { dtype: "uint8", shape: [N, K / block, (block * bits) / 8] });
    const perBlock = input("scales", { dtype: "float32", shape: [scales.length] });
    const unit = Float64Array.from({ length: K * K }, (_, i) => Number(i % (K + 1) === 0));
    const y = matmulNBits(rows, levels, perBlock, { bits, block, activations: "float32" });
    const back = referenceOf(y, { x: unit, packed, scales });
    w.forEach((value, i) => {
      const [n, k] = [Math.floor(i / K), i % K];
      const half = scales[Math.floor(i / block)]! / 2;
      expect(Math.abs(back[k * N + n]! - value) <= half * (1 + 1e-5)).toBe(true);
    });
  });
});
