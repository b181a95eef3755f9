import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readGraphConstants } from "../src/formats/graphdef.js";
import type { Shape } from "../src/graph/dtype.js";
import { inception } from "../src/models/inception.js";
import { type Parameter, parameterInput, Scope } from "../src/nn/index.js";
import { input } from "../src/ops/index.js";
import { key } from "../src/random/random.js";
import { openRuntime } from "../src/runtime/index.js";
import { openInception } from "../src/train/inception/extractor.js";
import { tensorflowName } from "../src/train/inception/names.js";
import { readInceptionWeights } from "../src/train/inception/weights.js";
import { fill } from "../src/verify/fill.js";
import { torchFile } from "./torch/archive.js";
import { dict, pickle, storage, tensor, text } from "./torch/pickle.js";

/** Readers of Inception's weights, on two small units of it; its numbers are checked by tests/verify.test.ts. */

let folder: string;
const at = (name: string): string => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-inception-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const initialize = () => new Float32Array();
const parameter = (name: string, shape: Shape): Parameter => ({
  name,
  tensor: input(parameterInput(name), { dtype: "float32", shape }),
  initialize,
});
const UNITS = { "Mixed_7b.branch3x3dbl_3b": [2, 3, 3, 1], Conv2d_2a_3x3: [3, 2, 1, 1] } as const;
const PARAMETERS = [
  ...Object.entries(UNITS).flatMap(([unit, shape]) => [
    parameter(`${unit}.weight`, shape),
    parameter(`${unit}.bias`, [shape[0]]),
  ]),
  parameter("fc.weight", [4, 5]),
];

/** A stored tensor under the port's name. */
const value = (name: string, shape: Shape): Float32Array<ArrayBuffer> =>
  fill(name, shape, 1).map((x) => (name.endsWith("var") ? 1.5 + x : x));
const stored = (): [string, Shape][] => [
  ...Object.entries(UNITS).flatMap(([unit, shape]): [string, Shape][] => [
    [`${unit}.conv.weight`, shape],
    ...["weight", "bias", "running_mean", "running_var"].map((part): [string, Shape] => [
      `${unit}.bn.${part}`,
      [shape[0]],
    ]),
  ]),
  ["fc.weight", [4, 5]],
];

const strides = (shape: Shape): number[] => shape.map((_, i) => shape.slice(i + 1).reduce((n, d) => n * d, 1));

const writePort = async (name: string, tensors = stored()): Promise<string> => {
  const storages = tensors.map(([full, shape], i) => [`${i}`, new Uint8Array(value(full, shape).buffer)] as const);
  const entries = tensors.map(([full, shape], i) => {
    const count = shape.reduce((n, d) => n * d, 1);
    return [text(full), tensor(storage(`${i}`, count), 0, shape, strides(shape))] as const;
  });
  await writeFile(at(name), torchFile(pickle(dict(...entries)), Object.fromEntries(storages)));
  return at(name);
};

/** A node of a frozen graph with a constant, as TensorFlow writes it. */
const constant = (graph: BinaryWriter, name: string, shape: Shape, data: Float32Array): void => {
  const size = new BinaryWriter();
  for (const d of shape) size.tag(2, WireType.LengthDelimited).fork().tag(1, WireType.Varint).int64(d).join();
  const tensorProto = new BinaryWriter().tag(1, WireType.Varint).int32(1);
  tensorProto.tag(2, WireType.LengthDelimited).bytes(size.finish());
  tensorProto.tag(4, WireType.LengthDelimited).bytes(new Uint8Array(data.slice().buffer));
  const attribute = new BinaryWriter().tag(8, WireType.LengthDelimited).bytes(tensorProto.finish()).finish();
  const entry = new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string("value")
    .tag(2, WireType.LengthDelimited)
    .bytes(attribute);
  const node = new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string(name)
    .tag(2, WireType.LengthDelimited)
    .string("Const");
  node.tag(5, WireType.LengthDelimited).bytes(entry.finish());
  graph.tag(1, WireType.LengthDelimited).bytes(node.finish());
};

const PARTS = { weight: "gamma", bias: "beta", running_mean: "moving_mean", running_var: "moving_variance" };

/** [O I h w] as [h w I O]. */
const kernel = (data: Float32Array, [o, i, h, w]: Shape): Float32Array => {
  const out = new Float32Array(data.length);
  for (let a = 0; a < o!; a++)
    for (let b = 0; b < i!; b++)
      for (let c = 0; c < h! * w!; c++) out[(c * i! + b) * o! + a] = data[(a * i! + b) * h! * w! + c]!;
  return out;
};

const writeGraph = async (name: string): Promise<string> => {
  const graph = new BinaryWriter();
  for (const [unit, shape] of Object.entries(UNITS)) {
    const [o, i, h, w] = shape;
    constant(
      graph,
      `${tensorflowName(unit)}/conv2d_params`,
      [h, w, i, o],
      kernel(value(`${unit}.conv.weight`, shape), shape),
    );
    for (const [port, tensorflow] of Object.entries(PARTS))
      constant(graph, `${tensorflowName(unit)}/batchnorm/${tensorflow}`, [o], value(`${unit}.bn.${port}`, [o]));
  }
  constant(graph, "softmax/weights", [5, 4], kernel(value("fc.weight", [4, 5]), [4, 5, 1, 1]));
  await writeFile(at(name), graph.finish());
  return at(name);
};

test("both forms of the file give the same weights, batch norm folded in", async () => {
  const port = await readInceptionWeights(await writePort("port.pth"), PARAMETERS);
  expect(await readInceptionWeights(await writeGraph("graph.pb"), PARAMETERS)).toEqual(port);
  const unit = "Conv2d_2a_3x3";
  const norm = (part: string) => value(`${unit}.bn.${part}`, [3])[1]!;
  const factor = norm("weight") / Math.sqrt(norm("running_var") + 1e-3);
  expect(port[parameterInput(`${unit}.weight`)]![3]).toBeCloseTo(
    value(`${unit}.conv.weight`, UNITS[unit])[3]! * factor,
    6,
  );
  expect(port[parameterInput(`${unit}.bias`)]![1]).toBeCloseTo(norm("bias") - norm("running_mean") * factor, 6);
});

test("every unit has a scope of its own in TensorFlow's graph", () => {
  const scope = new Scope();
  inception(scope, input("x", { dtype: "float32", shape: [1, 3, 299, 299] }));
  const units = scope.parameters
    .filter(({ name }) => name.endsWith(".bias"))
    .map(({ name }) => name.slice(0, -".bias".length));
  expect(units.length).toBe(94);
  const names = units.map(tensorflowName);
  expect(new Set(names).size).toBe(94);
  expect(names.slice(0, 6)).toEqual(["conv", "conv_1", "conv_2", "conv_3", "conv_4", "mixed/conv"]);
  expect(tensorflowName("Mixed_7c.branch3x3dbl_3a")).toBe("mixed_10/tower_1/mixed/conv");
  expect(tensorflowName("Mixed_6d.branch1x1")).toBe("mixed_6/conv"); // sFID's features
});

describe("bad files", () => {
  test("what is missing or misshapen is listed together", async () => {
    const tensors = stored().filter(([name]) => !name.endsWith("running_mean"));
    await expect(readInceptionWeights(await writePort("short.pth", tensors), PARAMETERS)).rejects.toThrow(
      /short.pth does not hold the weights of Inception: Mixed_7b.branch3x3dbl_3b mean is missing; Conv2d_2a_3x3 mean is missing$/,
    );
    const other = [parameter("Conv2d_2a_3x3.weight", [3, 2, 3, 3]), parameter("fc.weight", [4, 5])];
    await expect(readInceptionWeights(await writePort("whole.pth"), other)).rejects.toThrow(
      /Conv2d_2a_3x3 weight is \[3 2 1 1\], not \[3 2 3 3\]$/,
    );
  });

  test("no file, no graph, and a hub that cannot be reached", async () => {
    const runtime = await openRuntime({ threads: 1 });
    await expect(openInception(runtime, { path: at("none.pth") })).rejects.toThrow(
      /^inception: there is no .*none.pth; give the file of its weights \(.pth or .pb\)$/,
    );
    await writeFile(at("text.pb"), "no graph at all, but some text");
    await expect(openInception(runtime, { path: at("text.pb") })).rejects.toThrow(
      /text.pb is not a frozen TensorFlow graph: /,
    );
    const url = "http://127.0.0.1:9/none";
    await expect(openInception(runtime, { url, cacheDir: at("cache") })).rejects.toThrow(
      /127.0.0.1:9\/none cannot be reached/,
    );
    expect(await readdir(at("cache/inception"))).toEqual([]);
    await runtime.close();
  });

  test("a download with another checksum, which is not kept", async () => {
    const server = createServer((_, response) => void response.end("other weights"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/weights.pth`;
    const runtime = await openRuntime({ threads: 1 });
    await expect(openInception(runtime, { url, cacheDir: at("others") })).rejects.toThrow(
      /was received with the SHA-256 [0-9a-f]{64}, not 6726825d[0-9a-f]{56}; it has been removed, the same call begins anew$/,
    );
    expect(await readdir(at("others/inception"))).toEqual([]);
    await runtime.close();
    server.close();
  });

  test("damaged graphs are read or refused", async () => {
    const bytes = new Uint8Array(await (await import("node:fs/promises")).readFile(await writeGraph("damaged.pb")));
    const draws = key(1).integers(6000, 2 ** 32);
    for (let n = 0; n < 2000; n++) {
      const damaged = bytes.slice(0, n % 3 === 0 ? draws[n]! % bytes.length : bytes.length);
      for (let k = 0; k < 3; k++) damaged[draws[n + 2000 * k]! % Math.max(1, damaged.length)] = draws[n + k]! & 0xff;
      try {
        readGraphConstants(damaged, "damaged.pb");
      } catch (thrown) {
        expect((thrown as Error).message).toMatch(/^damaged.pb is not a frozen TensorFlow graph: /);
      }
    }
  });
});
