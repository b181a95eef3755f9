import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readSafetensors } from "../../src/formats/safetensors.js";
import type { Scalar } from "../../src/formats/torch/flatten.js";
import { sizeOf } from "../../src/graph/dtype.js";
import type { Parameter } from "../../src/nn/index.js";
import { commonSections } from "../../src/train/config/index.js";
import { openCheckpoint } from "../../src/train/import/file.js";
import { layoutOf } from "../../src/train/import/layout.js";
import { type ImportOptions, importCheckpoint } from "../../src/train/import.js";
import { openNetwork } from "../../src/train/model.js";
import { writeSafetensors } from "../../src/train/safetensorsFile.js";
import { drawSamples } from "../../src/train/sample.js";
import { soflow } from "../cli.js";
import { concat, torchFile } from "./archive.js";
import { call, dict, integer, op, pickle, storage, tensor, text } from "./pickle.js";

/** official.pt is a tiny DiT that PyTorch wrote in the layout of the official code; every value follows from a formula. */

const OFFICIAL = fileURLToPath(new URL("../data/torch/official.pt", import.meta.url));
const STEP = 40;

const CONFIG = `
data: { kind: glyphs, size: 8, samples: 200 }
model: { patch: 2, width: 8, depth: 1, heads: 2 }
train: { steps: ${STEP + 2}, batch: 4, sampleEvery: 100, sampleCount: 10, logEvery: 1, threads: 1 }
`;

let folder: string;
const at = (...parts: string[]): string => join(folder, ...parts);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-import-"));
  await writeFile(at("tiny.yaml"), CONFIG);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const v = (i: number, salt: number): number => (((7 * i + 13 * salt) % 101) - 50) / 8;
const filled = (count: number, salt: number, f: (value: number) => number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => f(v(i, salt)));

const importInto = (out: string, options: Partial<ImportOptions> = {}) =>
  importCheckpoint({ checkpoint: OFFICIAL, config: at("tiny.yaml"), out: at(out), ...options });

/** The tensors that the official file holds, by name, in its order, positions first. */
const official = async () => {
  const checkpoint = await openCheckpoint(OFFICIAL);
  const prefix = "model.network.";
  const names = [...checkpoint.tensors.keys()].filter((name) => name.startsWith(prefix));
  return { checkpoint, names: names.map((name) => name.slice(prefix.length)) };
};

test("weights, averages and moments arrive to the bit, each under its own name", async () => {
  expect(await importInto("run")).toEqual({ kind: "run", folder: at("run"), step: STEP });
  const path = at("run", "checkpoints", "step-00000040.safetensors");
  const { tensors } = readSafetensors(await readFile(path), path);
  const { checkpoint, names } = await official();
  await checkpoint.close();
  expect(names[0]).toBe("pos_embed");
  for (const [salt, name] of names.entries()) {
    if (name === "pos_embed") continue;
    const wanted = {
      "parameter.": filled(tensors.get(`parameter.${name}`)!.data.length, salt, (x) => x / 64),
      "ema.": filled(tensors.get(`ema.${name}`)!.data.length, salt + 30, (x) => x / 64),
      "m.": filled(tensors.get(`m.${name}`)!.data.length, salt + 50, (x) => x / 512),
      "v.": filled(tensors.get(`v.${name}`)!.data.length, salt + 50, (x) => (x / 512) ** 2),
    };
    for (const [prefix, values] of Object.entries(wanted)) expect(tensors.get(prefix + name)!.data).toEqual(values);
  }
  expect(tensors.size).toBe(4 * (names.length - 1));
});

test("the run goes on for two steps and ends as a model", async () => {
  const { code, err, out } = await soflow("train", "--config", at("run", "config.yaml"));
  expect(err).toContain("going on from step 40");
  expect(code).toBe(0);
  expect(out).toContain("trained 42 steps");
  const metrics = (await readFile(at("run", "metrics.jsonl"), "utf8")).trim().split("\n");
  expect(metrics.map((line) => (JSON.parse(line) as { step: number }).step)).toEqual([41, 42]);
  expect(existsSync(at("run", "model", "model.safetensors"))).toBe(true);
});

/** The averaged weights alone, as somebody would publish them. */
const published = async (path: string, wrap = "module._orig_mod."): Promise<string> => {
  const { checkpoint, names } = await official();
  const tensors = names.map((name) => ({ name: wrap + name, ...checkpoint.tensors.get(`ema_model.network.${name}`)! }));
  await writeSafetensors(at(path), tensors.reverse(), {});
  await checkpoint.close();
  return at(path);
};

test("a safetensors file of averaged weights becomes a model that draws the same images as the run", async () => {
  const notes: string[] = [];
  const checkpoint = await published("ema.safetensors");
  const onNote = (note: string) => notes.push(note);
  expect(await importInto("model", { checkpoint, onNote })).toEqual({ kind: "model", folder: at("model"), step: 0 });
  expect(notes).toEqual([`${checkpoint} has no averaged weights; those of its last step take their place`]);
  await importInto("second");
  const draw = (source: string) => drawSamples({ source: at(source), count: 20, seed: 5 });
  const [ofModel, ofRun] = [await draw("model"), await draw("second")];
  expect(ofModel.images).toEqual(ofRun.images);
  expect(ofModel.evaluations).toBe(1);
  expect(new Set(ofModel.images).size).toBeGreaterThan(100);
  expect(ofModel.description.classes).toEqual(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
});

const OFFICIAL_CONFIG = `
working_dir: ./somewhere
noising_type: Triangular
coefficient_type: Euler
dataset_type: Imagenet
data_size: 8
dataset_path: ./latents
patch_size: 2
hidden_size: 8
depth: 1
num_heads: 2
velocity_loss_ratio: 0.5
p: 1.0
eps: 0.02
time_mean: [-0.3, -1.1, 0.1]
time_std: [1.5, 0.7, 0.6]
cfg_scale: 3.0
mix_ratio: 0.25
cfg_drop_rate: 0.1
cfg_decay_time: 0.7
l_schedule: Cosine
l_init_ratio: 0.2
l_end_ratio: 0.004
total_steps: 42
ema_decay_rate: 0.99
learning_rate: 0.0002
betas: [0.8, 0.95]
weight_decay: 0.01
batch_size: 4
num_workers: 8
eval_demo_shape: [2, 5]
ckpt_saving_steps: 100
logging_steps: 1
seed: 42
`;

test("the official configuration: every key has its place, and the run goes on with other data", async () => {
  await writeFile(at("official.yaml"), OFFICIAL_CONFIG);
  const overrides = ["data={kind: glyphs, size: 8, samples: 200}", "train.threads=1"];
  expect(await importInto("official", { config: at("official.yaml"), overrides })).toMatchObject({ kind: "run" });
  const { resolveConfig } = await import("../../src/train/config/index.js");
  const config = resolveConfig({ file: at("official", "config.yaml") });
  expect(config).toMatchObject({
    seed: 42,
    model: { patch: 2, width: 8, depth: 1, heads: 2 },
    objective: {
      kind: "soflow",
      path: "trig",
      parameterisation: "euler",
      velocityShare: 0.5,
      power: 1,
      epsilon: 0.02,
      times: {
        velocity: { mean: -0.3, deviation: 1.5 },
        first: { mean: -1.1, deviation: 0.7 },
        second: { mean: 0.1, deviation: 0.6 },
      },
      middle: { schedule: "cosine", initial: 0.2, final: 0.004 },
      guidance: { scale: 3, mix: 0.25, labelDropout: 0.1, decayTime: 0.7 },
    },
    optimizer: { learningRate: 2e-4, beta1: 0.8, beta2: 0.95, weightDecay: 0.01 },
    ema: { decay: 0.99 },
    train: { steps: 42, batch: 4, sampleCount: 10, checkpointEvery: 100, logEvery: 1 },
    out: at("official"),
  });
  expect((await soflow("train", "--config", at("official", "config.yaml"))).out).toContain("trained 42 steps");
});

test("a network of another width is refused with the first dozen tensors by name", async () => {
  const wrong = { config: at("tiny.yaml"), overrides: ["model.width=16"] };
  const refused = await importInto("wrong", wrong).catch((thrown: Error) => thrown.message);
  expect(refused).toMatch(
    /^\S+official\.pt does not fit the network of the configuration: model\.pos_embed is \[1 16 8\], not \[1 16 16\]; (model\.\S+ is \[[\d ]+\], not \[[\d ]+\]; ){11}and \d+ more$/,
  );
  expect(existsSync(at("wrong"))).toBe(false);
});

test("missing, foreign and misshapen tensors are listed together", async () => {
  const { checkpoint, names } = await official();
  const kept = names.filter((name) => name !== "blocks.0.mlp.fc1.bias");
  const tensors = kept.map((name) => ({ name, ...checkpoint.tensors.get(`ema_model.network.${name}`)! }));
  const bias = tensors.findIndex(({ name }) => name === "final_layer.linear.bias");
  tensors[bias] = { ...tensors[bias]!, shape: [2, 2] };
  tensors.push({ ...tensors[bias]!, name: "head.bias" });
  await writeSafetensors(at("odd.safetensors"), tensors, {});
  await checkpoint.close();
  await expect(importInto("odd", { checkpoint: at("odd.safetensors") })).rejects.toThrow(
    /^\S+odd\.safetensors does not fit the network of the configuration: model\.blocks\.0\.mlp\.fc1\.bias is missing; model\.final_layer\.linear\.bias is \[2 2\], not \[4\]; model\.head\.bias is not in the network$/,
  );
});

/** A checkpoint in the official layout for any network, every tensor a view of one storage of ones. */
const officialFile = (parameters: readonly Parameter[], step: number): Uint8Array => {
  const largest = Math.max(...parameters.map(({ tensor: { shape } }) => sizeOf(shape)));
  const view = ({ tensor: { shape } }: Parameter) => {
    const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
    return tensor(storage("0", largest), 0, shape, strides);
  };
  const state = (): Uint8Array =>
    dict(...parameters.map((parameter) => [text(`network.${parameter.name}`), view(parameter)] as const));
  const slots = (parameter: Parameter): Uint8Array =>
    dict([text("step"), integer(step)], [text("exp_avg"), view(parameter)], [text("exp_avg_sq"), view(parameter)]);
  const numbers = concat(op.list, op.mark, ...parameters.map((_, i) => integer(i)), op.appends);
  const groups = concat(op.list, dict([text("lr"), integer(1)], [text("params"), numbers]), op.append);
  const optimizer = dict(
    [text("state"), dict(...parameters.map((parameter, i) => [integer(i), slots(parameter)] as const))],
    [text("param_groups"), groups],
  );
  const parts = [text("model"), state()] as const;
  const all = dict(parts, [text("ema_model"), state()], [text("optimizer"), optimizer]);
  return torchFile(pickle(all), { 0: new Uint8Array(Float32Array.from({ length: largest }, () => 1).buffer) });
};

const LATENT = { imageSize: 8, channels: 4, patch: 2, width: 8, depth: 1, heads: 2, classes: 1000, nullLabel: true };

test("an official run on data of no kind known here becomes a model; its step is what its optimizer counted", async () => {
  await writeFile(at("official.yaml"), OFFICIAL_CONFIG);
  await writeFile(at("latent.pt"), officialFile(openNetwork(LATENT).parameters, 7));
  const notes: string[] = [];
  const options = {
    checkpoint: at("latent.pt"),
    config: at("official.yaml"),
    onNote: (note: string) => notes.push(note),
  };
  const known = commonSections.data.safeParse({ kind: "latents", path: "./latents" }).success;
  expect(await importInto("latent", options)).toEqual({ kind: known ? "run" : "model", folder: at("latent"), step: 7 });
  expect(notes).toEqual([
    known
      ? expect.stringMatching(/^labels are called by their numbers, for the data cannot be opened: /)
      : "the configuration's data are of a kind that this version cannot train on (--set data=… gives others): a model folder is made, without the optimizer's state",
  ]);
  const { images, description } = await drawSamples({ source: at("latent"), count: 3, seed: 0 });
  expect(images.length).toBe(3 * 4 * 8 * 8);
  expect(description.network).toMatchObject({ channels: 4, imageSize: 8, classes: 1000, nullLabel: true });
});

/** A checkpoint in memory, with tensors of these shapes. */
const inMemory = (
  shapes: Readonly<Record<string, readonly number[]>>,
  scalars: Readonly<Record<string, Scalar>> = {},
) => {
  const tensors = Object.entries(shapes).map(
    ([name, shape]) => [name, { shape, read: async () => new Float32Array(sizeOf(shape)).fill(9) }] as const,
  );
  const close = async () => {};
  return { path: "x.pt", tensors: new Map(tensors), scalars: new Map(Object.entries(scalars)), ordered: true, close };
};

const GROUP = { "opt.param_groups.0.params.0": 4, "opt.param_groups.0.params.1": 7 };

test("moments find their weights by their place in the group, whether positions are a buffer or a frozen weight", async () => {
  const state = { "opt.state.4.exp_avg": [1], "opt.state.7.exp_avg": [2], "opt.state.7.exp_avg_sq": [2] };
  const weights = { "net.module.a": [1], "net.module.b": [2], "net.module.pos_embed": [3] };
  const buffer = await layoutOf(inMemory({ ...weights, ...state, "opt.state.4.step": [] }, GROUP));
  expect([...buffer.moments!.m]).toMatchObject([
    ["a", { shape: [1] }],
    ["b", { shape: [2] }],
  ]);
  expect([...buffer.moments!.v.keys()]).toEqual(["b"]);
  expect([...buffer.weights!.keys()]).toEqual(["a", "b", "pos_embed"]);
  expect(buffer.step).toBe(9);
  const frozen = await layoutOf(
    inMemory({ "net.pos_embed": [3], "net.a": [1], ...state }, { ...GROUP, global_step: 3, "opt.state.7.step": 5 }),
  );
  expect([...frozen.moments!.m]).toMatchObject([
    ["pos_embed", { shape: [1] }],
    ["a", { shape: [2] }],
  ]);
  expect(frozen.step).toBe(3);
});

test.each([
  [{ "opt.param_groups.1.params.0": 8 }, "its optimizer has several groups of parameters; one group is read"],
  [{ "opt.param_groups.0.params.2": 8 }, "its optimizer has 3 parameters, its network has 2"],
  [{ step: -1 }, "its step is -1; it must be a whole number of at least 0"],
  [{ step: "many" }, "its step is many; it must be a whole number of at least 0"],
] as const)("a layout with %j is refused", async (scalars, line) => {
  const shapes = { "ema.a": [1], "ema.b": [2], "opt.state.4.exp_avg": [1] };
  await expect(layoutOf(inMemory(shapes, { ...GROUP, ...scalars }))).rejects.toThrow(`x.pt: ${line}`);
});

/** A file of torch.save with one float32 tensor of four elements for each name. */
const small = async (name: string, names: readonly string[], more = dict()): Promise<string> => {
  const entries = names.map((key) => [text(key), tensor(storage("0", 4), 0, [4], [1])] as const);
  const model = [text("model"), dict(...entries)] as const;
  await writeFile(at(name), torchFile(pickle(dict(model, [text("opt"), more])), { 0: new Uint8Array(16) }));
  return at(name);
};

const REFUSED: readonly (readonly [string, () => Promise<Partial<ImportOptions>>, RegExp])[] = [
  ["no such checkpoint", async () => ({ checkpoint: at("none.pt") }), /^there is no file \S+none\.pt$/],
  ["a folder", async () => ({ checkpoint: folder }), /is a folder; give the file that torch\.save wrote$/],
  [
    "nothing that fits",
    async () => ({ checkpoint: await small("few.pt", ["x", "y"]) }),
    /few\.pt does not fit the network of the configuration: (model\.\S+ is missing; ){12}and \d+ more$/,
  ],
  [
    "a file that wants to run something",
    async () => {
      await writeFile(at("evil.pt"), torchFile(pickle(dict([text("model"), call("os", "system", text("touch x"))]))));
      return { checkpoint: at("evil.pt") };
    },
    /evil\.pt: the file wants to call os\.system; only tensors, state dicts and plain values are read$/,
  ],
  [
    "other labels",
    async () => ({ overrides: ["objective={guidance: {labelDropout: 0}}"] }),
    /official\.pt has 11 labels; the data of the configuration have 10 \(for latents that lack some of them: --set data.classes=11\)$/,
  ],
  [
    "an unknown key",
    async () => {
      await writeFile(at("typo.yaml"), "noising_type: Linear\nlearning_rat: 1\n");
      return { config: at("typo.yaml") };
    },
    /^\S+typo\.yaml: unknown key learning_rat; did you mean learning_rate\?; the known ones: model_type, /,
  ],
  [
    "a network of another kind",
    async () => {
      await writeFile(at("unet.yaml"), "model_type: ResNet\ndataset_type: CIFAR10\n");
      return { config: at("unet.yaml") };
    },
    /^\S+unet\.yaml: model_type is "ResNet"; networks that can be imported are DiT-B\/4, DiT-B\/2, /,
  ],
];

test.each(REFUSED)("refused: %s, in one line, and nothing is left", async (_, make, line) => {
  const options = await make();
  const before = await readdir(folder);
  const message = await importInto("refused", options).catch((thrown: Error) => `${thrown.name} ${thrown.message}`);
  expect(message).toMatch(/^UserError [^\n]+$/);
  expect(String(message).slice("UserError ".length)).toMatch(line);
  expect(await readdir(folder)).toEqual(before);
});

test("a folder that holds something is kept", async () => {
  await mkdir(at("full"));
  await writeFile(at("full", "mine.txt"), "mine");
  await expect(importInto("full")).rejects.toThrow(
    /^--out \S+full is there already and not an empty folder; choose another$/,
  );
  expect(await readdir(at("full"))).toEqual(["mine.txt"]);
});

test("the command line: a run of the official file, and its exit codes", async () => {
  const done = await soflow("import", OFFICIAL, "--config", at("tiny.yaml"), "--out", at("cli"));
  expect(done).toMatchObject({ code: 0 });
  expect(done.out).toBe(`a run at step 40: go on with soflow train --config ${at("cli")}/config.yaml\n`);
  const drawn = await soflow("sample", at("cli"), "--count", "4", "--out", at("four.png"));
  expect(drawn.out).toContain("4 images, 1 evaluation each");
  const missing = await soflow("import", OFFICIAL, "--config", at("tiny.yaml"));
  expect(missing).toMatchObject({
    code: 2,
    err: "soflow: import: --out is missing; give the folder to make; see soflow import --help\n",
  });
});
