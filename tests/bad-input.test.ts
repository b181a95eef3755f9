import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { pack } from "tar-stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { soflow } from "./cli.js";

/** Bad input ends with exit code 2, one clear line, and nothing written. */

let folder: string;
const at = (...parts: string[]): string => join(folder, ...parts);

const CONFIG = {
  data: "{ kind: glyphs, size: 8, samples: 100 }",
  model: "{ patch: 2, width: 32, depth: 1, heads: 2 }",
  train: "{ steps: 1, batch: 4, sampleCount: 4, threads: 1 }",
};

const configWith = async (name: string, changes: Partial<typeof CONFIG>, extra = ""): Promise<string> => {
  const sections = Object.entries({ ...CONFIG, ...changes }).map(([section, value]) => `${section}: ${value}\n`);
  await writeFile(at(`${name}.yaml`), sections.join("") + extra);
  return at(`${name}.yaml`);
};

const png = (size: number, grey: number): Promise<Buffer> =>
  sharp({ create: { width: size, height: size, channels: 3, background: { r: grey, g: grey, b: grey } } })
    .png()
    .toBuffer();

/** A WebDataset shard with four samples. */
const shard = async (path: string): Promise<void> => {
  const tar = pack();
  for (let i = 0; i < 4; i++) {
    tar.entry({ name: `${i}.png` }, await png(8, 60 * i));
    tar.entry({ name: `${i}.cls` }, String(i % 2));
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  await writeFile(path, Buffer.concat(chunks));
};

const write = async (path: string, bytes: Uint8Array | string): Promise<void> => {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
};

/** A trained model to sample from. */
const MODEL = "trained/model";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-bad-"));
  const trained = await soflow("train", "--config", await configWith("good", {}), "--out", at("trained"));
  expect(trained.err).not.toContain("soflow:");
  expect(trained.code).toBe(0);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs a command that must fail with exactly this line, and leave no trace of its output. */
const expectRefused = async (words: readonly string[], line: RegExp): Promise<void> => {
  const out = at("out");
  const before = await readdir(folder);
  const { code, err, out: printed } = await soflow(...words, "--out", words[0] === "sample" ? at("out.png") : out);
  expect(err.trimEnd()).toMatch(line);
  expect(err.trimEnd().split("\n")).toHaveLength(1);
  expect(code).toBe(2);
  expect(printed).toBe("");
  expect(await readdir(folder)).toEqual(before);
};

const refuseTraining = async (name: string, changes: Partial<typeof CONFIG>, line: RegExp, extra = ""): Promise<void> =>
  expectRefused(["train", "--config", await configWith(name, changes, extra)], line);

test.each([
  [
    ["--sampler", "ddim"],
    /^soflow: sampler ddim needs the noise ε̂\(x_i, i\) of a ddpm model; a soflow model does not give it; samplers that fit: euler, /,
  ],
  [["--sampler", "eular"], /^soflow: sampler eular is unknown; choose euler, midpoint, /],
  [["--sampler", "dopri5", "--rtol", "0"], /^soflow: sampler dopri5: rtol is 0; it must be above 0$/],
  [["--sampler", "dopri5", "--atol", "-1"], /^soflow: sampler dopri5: atol is -1; it must be above 0$/],
  [["--guidance", "2"], /^soflow: guidance is 2; a soflow model is not guided while sampling but in training/],
])("a sampler that does not fit the model or itself: %o", (options, line) =>
  expectRefused(["sample", at(MODEL), ...options], line),
);

test.each([
  [
    "{ kind: meanflow, guidance: { omega: 0.2, kappa: 0.5 } }",
    /objective\.guidance\.omega is 0\.2 with kappa 0\.5, .* of 0\.4; omega \+ kappa must be at least 1$/,
  ],
  [
    "{ kind: consistency, curriculum: { steps: 5 } }",
    /objective\.curriculum\.steps is 5, longer than the run of 1 steps; it must be at most train\.steps, or null$/,
  ],
  [
    "{ kind: improved-consistency }",
    /objective\.curriculum does not fit: levels double from 10 to 1280 in 8 stages; a run of 1 steps is too short for it$/,
  ],
  [
    "{ kind: consistency-distillation, teacher: nowhere }",
    /^soflow: objective\.teacher: there is no nowhere; give a run folder, a model folder or a checkpoint$/,
  ],
])("an objective that does not fit: %s", (objective, line) =>
  expectRefused(["train", "--config", at("good.yaml"), "--set", `objective=${objective}`], line),
);

test("a teacher of another kind", () =>
  expectRefused(
    [
      "train",
      "--config",
      at("good.yaml"),
      "--set",
      `objective={ kind: consistency-distillation, teacher: ${at(MODEL)} }`,
    ],
    /^soflow: objective\.teacher .* does not fit: it was trained by soflow; the teacher must be an edm model$/,
  ));

test.each([
  ["methods: { soflow: { objective: { kind: soflow } } }", /methods has only soflow; a comparison needs at least two$/],
  [
    "methods: { a: { objective: { kind: soflow } }, b: { objective: { kind: ddpm }, optimizer: { learningRat: 1 } } }",
    /^soflow: compare: methods\.b: Unrecognized key: "learningRat"$/,
  ],
])("a comparison that compares nothing, or names no field: %s", async (methods, line) => {
  const text = `data: ${CONFIG.data}\nmodel: ${CONFIG.model}\nbatch: 4\nbudget: { steps: 10 }\n${methods}\n`;
  await writeFile(at("comparison.yaml"), text);
  await expectRefused(["compare", "--config", at("comparison.yaml")], line);
});

test("an unknown key in the configuration", () =>
  refuseTraining(
    "unknown",
    { train: "{ steps: 1, batch: 4, stesp: 3 }" },
    /unknown\.yaml:3:\d+ train\.stesp: unknown key.*steps/,
  ));

test("a value of the wrong type", () =>
  refuseTraining(
    "type",
    { model: "{ patch: 2, width: 32, depth: six, heads: 2 }" },
    /type\.yaml:2:\d+ model\.depth: expected number, received string "six"/,
  ));

test("zero steps", () =>
  refuseTraining(
    "zero",
    { train: "{ steps: 0, batch: 4 }" },
    /zero\.yaml:3:\d+ train\.steps is 0; it must be at least 1/,
  ));

test("a path that does not exist", () =>
  refuseTraining(
    "missing",
    { data: `{ kind: folder, path: ${at("nowhere")}, size: 8 }` },
    /data\.path: there is no folder .*nowhere; give one that holds images/,
  ));

test("an empty folder", async () => {
  await mkdir(at("empty"), { recursive: true });
  await refuseTraining(
    "empty-folder",
    { data: `{ kind: folder, path: ${at("empty")}, size: 8 }` },
    /data\.path: .*empty holds no images; it must hold images \(\.jpg, \.jpeg, \.png, \.webp\)/,
  );
});

test("a text file named .jpg", async () => {
  await write(at("text", "a", "0.jpg"), "this is no picture");
  await refuseTraining(
    "text-jpg",
    { data: `{ kind: folder, path: ${at("text")}, size: 8 }` },
    /text\/a\/0\.jpg is not a whole jpeg, png or webp image/,
  );
});

test("an image of the wrong size", async () => {
  await write(at("small", "a", "0.png"), await png(5, 9));
  await refuseTraining(
    "small-image",
    { data: `{ kind: folder, path: ${at("small")}, size: 8 }` },
    /small\/a\/0\.png is 5×5 pixels; images must be at least 8×8/,
  );
});

test("a patch that does not divide the image", () =>
  refuseTraining(
    "patch",
    { model: "{ patch: 3, width: 32, depth: 1, heads: 2 }" },
    /patch\.yaml:2:\d+ model\.patch is 3; it must divide the image size 8/,
  ));

test("a truncated tar", async () => {
  await shard(at("shard.tar"));
  await truncate(at("shard.tar"), 530);
  await refuseTraining(
    "tar",
    { data: `{ kind: webdataset, path: ${at("shard.tar")}, size: 8 }` },
    /shard\.tar is truncated: /,
  );
});

test("a label that is no number", async () => {
  const tar = pack();
  tar.entry({ name: "0.png" }, await png(8, 1));
  tar.entry({ name: "0.cls" }, "cat");
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  await writeFile(at("labels.tar"), Buffer.concat(chunks));
  await refuseTraining(
    "label",
    { data: `{ kind: webdataset, path: ${at("labels.tar")}, size: 8 }` },
    /labels\.tar: 0\.cls holds the label "cat"; a label is a whole number from 0/,
  );
});

test("a tar whose member has −512 bytes", async () => {
  const tar = pack();
  tar.entry({ name: "0.cls" }, "1");
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  bytes.write("-0000001000\0", 124);
  bytes.write("        ", 148);
  const sum = bytes.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  await write(at("negative.tar"), bytes);
  await refuseTraining(
    "negative",
    { data: `{ kind: webdataset, path: ${at("negative.tar")}, size: 8 }` },
    /negative\.tar is damaged at byte 0: the size of 0\.cls is no whole number of bytes$/,
  );
});

test("an image of more pixels than data.maxPixels", async () => {
  await write(at("large", "a", "0.png"), await png(40, 9));
  await refuseTraining(
    "large-image",
    { data: `{ kind: folder, path: ${at("large")}, size: 8, maxPixels: 1000 }` },
    /large\/a\/0\.png is 40×40 pixels; images of at most 1000 are decoded \(data\.maxPixels\)/,
  );
});

const LAUGHS = Array.from({ length: 9 }, (_, i) =>
  i === 0
    ? "l0: &l0 [x, x, x, x, x, x, x, x, x]\n"
    : `l${i}: &l${i} [${Array(9)
        .fill(`*l${i - 1}`)
        .join(", ")}]\n`,
);

test.each([
  ["an alias without an anchor", "extra: *nowhere\n", /:4:8 the alias \*nowhere has no anchor &nowhere before it$/],
  ["an alias inside of its anchor", "extra: &loop { a: *loop }\n", /:4:19 the alias \*loop stands inside of what/],
  ["a billion laughs", LAUGHS.join(""), /:8:\d+ stands for more than 10000 values once its aliases are resolved$/],
  ["brackets without end", `extra: ${"[".repeat(100_000)}\n`, /:4 is nested more than 64 deep$/],
])("YAML with %s", (_, extra, line) => refuseTraining("yaml", {}, line, extra));

test.each([
  ["data=*x", /--set data=\*x: the value is not YAML: the alias \*x has no anchor &x before it$/],
  ["data=&x [*x]", /--set data=&x \[\*x\]: the value is not YAML: the alias \*x stands inside of what it refers to$/],
])("an override with an alias: %s", (override, line) =>
  expectRefused(["train", "--config", at("good.yaml"), "--set", override], line),
);

test.skipIf(process.platform === "win32")("a configuration without end (Windows has no /dev/zero)", () =>
  expectRefused(
    ["train", "--config", "/dev/zero"],
    /^soflow: config \/dev\/zero: it cannot be read: a configuration has at most 1048576 bytes$/,
  ),
);

test("a truncated safetensors file", async () => {
  await cp(at(MODEL), at("cut"), { recursive: true });
  await truncate(at("cut", "model.safetensors"), 20_000);
  await expectRefused(
    ["sample", at("cut")],
    /cut\/model\.safetensors is truncated: tensor .* ends at byte \d+ of the data, the file has \d+/,
  );
});

test("a label out of range", () =>
  expectRefused(
    ["sample", at(MODEL), "--labels", "3,12"],
    /sample: label 12 is out of range; the model has labels 0 to 9/,
  ));

test("a model folder that is none", () =>
  expectRefused(
    ["sample", at("nothing")],
    /sample: there is no .*nothing; give a run folder, a model folder or a checkpoint/,
  ));

test("with data.onError: skip, unreadable images are counted and training goes on", async () => {
  await write(at("mixed", "a", "0.jpg"), "this is no picture");
  for (let i = 1; i < 5; i++) await write(at("mixed", "a", `${i}.png`), await png(8, 50 * i));
  const config = await configWith("mixed", { data: `{ kind: folder, path: ${at("mixed")}, size: 8, onError: skip }` });
  const { code, err } = await soflow("train", "--config", config, "--out", at("mixed-run"));
  expect(code).toBe(0);
  expect(err).toMatch(/skipped .*mixed\/a\/0\.jpg/);
  const [line = ""] = (await readFile(at("mixed-run", "metrics.jsonl"), "utf8")).split("\n");
  expect(JSON.parse(line)).toMatchObject({ step: 1, skipped: 1 });
  expect(existsSync(at("mixed-run", "model", "model.safetensors"))).toBe(true);
});
