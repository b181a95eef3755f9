import { expect, test } from "vitest";
import { UserError } from "../../errors.js";
import { type Config, configToYaml, imageShape, modelSizes, parseConfig, presetNames, resolveConfig } from "./index.js";
import { sections } from "./schema.js";
import { fieldsOf, type Schema } from "./walk.js";

const MINIMAL = `data:
  kind: glyphs
model: { patch: 4, width: 64, depth: 2, heads: 4 }
train:
  steps: 10
  batch: 8
`;

const linesOf = (text: string, overrides: readonly string[] = []): readonly string[] => {
  try {
    parseConfig(text, "config.yaml", overrides);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(UserError);
    return (thrown as UserError).message.split("\n");
  }
  return [];
};

/** The dotted names of every leaf of a plain value. */
const leaves = (value: object, prefix = ""): readonly string[] =>
  Object.entries(value).flatMap(([key, part]) =>
    typeof part === "object" && part !== null ? leaves(part, `${prefix}${key}.`) : [`${prefix}${key}`],
  );

const examples: Readonly<Record<string, readonly string[]>> = {
  minimal: [],
  folder: ["data={kind: folder, path: 'my # photos', size: 64}"],
  webdataset: ["data={kind: webdataset, path: ../x-*.tar}", "model={name: DiT-B/4}"],
  cifar10: ["data={kind: cifar10, path: data}", "objective.path=trig", "optimizer.clipNorm=1.5"],
  mnist: ["data={kind: mnist, path: '123'}", "train.threads=2", "out='null'"],
};

test.each(Object.entries(examples))("%s: the printed configuration parses to itself", (_, overrides) => {
  const config = parseConfig(MINIMAL, "config.yaml", overrides);
  expect(parseConfig(configToYaml(config), "printed.yaml")).toEqual(config);
});

test.each(Object.entries(examples))("%s: every printed field carries its meaning", (_, overrides) => {
  const printed = configToYaml(parseConfig(MINIMAL, "config.yaml", overrides));
  for (const line of printed.trimEnd().split("\n").slice(1)) expect(line).toMatch(/^ *\w+:.* {2}# \S/);
  expect(printed).not.toContain("undefined");
});

/** Each field of the schema with its dotted name, through every member of every union. */
const schemaFields = (schema: Schema, prefix: string, value: unknown): readonly (readonly [string, Schema])[] =>
  Object.entries(fieldsOf(schema, value) ?? {}).flatMap(([key, field]) => [
    [`${prefix}${key}`, field] as const,
    ...schemaFields(field, `${prefix}${key}.`, (value as Record<string, unknown> | undefined)?.[key] ?? {}),
  ]);

test("every field of the schema is described", () => {
  for (const kind of ["glyphs", "folder", "webdataset", "cifar10", "mnist"])
    for (const [name, field] of schemaFields(sections as unknown as Schema, "", { data: { kind } }))
      expect(field.description, name).toMatch(/\S/);
});

test("an unknown field is refused wherever it stands", () => {
  const config = parseConfig(MINIMAL, "config.yaml");
  const parents = new Set(leaves(config).map((leaf) => leaf.split(".").slice(0, -1).join(".")));
  for (const parent of parents) {
    const name = parent === "" ? "surprise" : `${parent}.surprise`;
    expect(linesOf(MINIMAL, [`${name}=1`])[0]).toContain(`--set ${name}=1 ${name}: unknown key; the valid keys`);
  }
});

test("a value of the wrong kind is refused for every field, by name", () => {
  for (const leaf of leaves(parseConfig(MINIMAL, "config.yaml"))) {
    const found = linesOf(MINIMAL, [`${leaf}=[1]`]);
    expect(found, leaf).toHaveLength(1);
    expect(found[0]).toContain(`--set ${leaf}=[1] ${leaf}`);
  }
});

test("all problems of a file are reported, in its order, one line each", () => {
  const text = `data:
  kind: glyph
model:
  patch: 4
  widht: 3
  depth: "six"
train:
  steps: 0
  batch: 1.5
objective: { path: lineer, velocityShare: 2 }
sed: 3
`;
  expect(linesOf(text)).toEqual([
    'config.yaml:2:9 data.kind is "glyph"; it must be glyphs, folder, webdataset, cifar10, mnist, latents or points; did you mean glyphs?',
    "config.yaml:5:3 model.widht: unknown key; did you mean width? the valid keys of model: kind, name, patch, width, depth, heads, multipliers, attention, dropout, augment",
    'config.yaml:6:10 model.depth: expected number, received string "six"',
    "config.yaml:8:10 train.steps is 0; it must be at least 1",
    "config.yaml:9:10 train.batch: expected whole number, received number 1.5",
    'config.yaml:10:20 objective.path is "lineer"; it must be linear or trig; did you mean linear?',
    "config.yaml:10:43 objective.velocityShare is 2; it must be at most 1",
    "config.yaml:11:1 sed: unknown key; did you mean seed? the valid keys: seed, data, model, objective, optimizer, ema, train, evaluation, out",
  ]);
});

test.each([
  ["", [], /^config.yaml:1:1 data is missing: the images to learn from$/],
  ["- 1\n", [], /^config.yaml:1:1 expected sections such as data: and model:, found \[1\]$/],
  ["seed: 1\nseed: 2\n", [], /^config.yaml:2:1 Map keys must be unique/],
  [MINIMAL, ["model=null"], /^--set model=null model: expected section, received null$/],
  [MINIMAL, ["data.path=x"], /^--set data.path=x data.path: unknown key/],
  [MINIMAL, ["data.kind=cifar10"], /^config.yaml:1:1 data.path is missing: the folder that holds data_batch_1.bin/],
  [MINIMAL, ["data={}"], /^--set data={} data.kind is missing; it must be glyphs, folder/],
  [MINIMAL, ["data.channels=2"], /data.channels is 2; it must be 1 or 3$/],
  [MINIMAL, ["model.patch=3"], /^--set model.patch=3 model.patch is 3; it must divide the image size 16$/],
  [MINIMAL, ["model.heads=5"], /^config.yaml:3:27 model.width is 64; it must be a multiple of model.heads, 5$/],
  [MINIMAL, ["model.name=DiT-B/4"], /^config.yaml:3:17 model.patch is given besides model.name; keep one of the two/],
  [MINIMAL, ["model={patch: 4}"], /^--set model={patch: 4} model.width is missing: numbers per token/],
  [MINIMAL, ["model={}"], /^--set model={} model is empty; it needs patch, width, depth, heads, or a name: DiT-B\/4,/],
  [MINIMAL, ["ema.decay=1"], /^--set ema.decay=1 ema.decay is 1; it must be below 1$/],
  [MINIMAL, ["optimizer.epsilon=0"], /^--set optimizer.epsilon=0 optimizer.epsilon is 0; it must be above 0$/],
  [
    MINIMAL,
    ["data.augment=0.12", "data.flip=true"],
    /^--set data.flip=true data.flip is true besides data.augment, which mirrors images itself; keep one of the two$/,
  ],
  [
    MINIMAL,
    ["data.augment=0.12"],
    /^--set data.augment=0.12 data.augment is 0.12, which gives the network 6 numbers to tell augmented images by; this one is told nothing: it needs a unet with model.augment 6, such as model.name DDPM\+\+$/,
  ],
  [
    MINIMAL,
    ["data.augment=1", "model={kind: unet, width: 8, depth: 1, multipliers: [1], augment: 9}"],
    /images by; this one takes 9: it needs/,
  ],
  [
    MINIMAL,
    ["data={kind: latents, path: x.h5, augment: 0.12}", "model={name: DDPM++}"],
    /data.augment is 0.12; latents are not pixels, it must be 0$/,
  ],
  [MINIMAL, ["data.augment=2"], /data.augment is 2; it must be at most 1$/],
  [MINIMAL, ["optimizer.kind=sgd"], /optimizer.kind is "sgd"; it must be adamw or radam/],
  [MINIMAL, ["ema.every=0"], /ema.every is 0; it must be at least 1$/],
  [MINIMAL, ["ema.precision=double"], /ema.precision is "double"; it must be float32 or float64/],
  [MINIMAL, ["seed.x=1"], /^--set seed.x=1 seed: expected number, received section$/],
  [MINIMAL, ["seed=1", "seed.x=1"], /^--set seed.x=1: seed is 1, which has no fields$/],
  [MINIMAL, ["steps"], /^--set steps: expected section.field=value, such as --set train.steps=2000$/],
  [MINIMAL, ["data.path=*"], /^--set data.path=\*: the value is not YAML: /],
  [
    MINIMAL,
    ["objective.guidance={scale: 3, labelDropout: 0}"],
    /objective.guidance.labelDropout is 0; it must be above 0 when objective.guidance.scale, 3, is not 1$/,
  ],
] as const)("errors: %j with %j", (text, overrides, expected) => {
  expect(linesOf(text, overrides)[0] ?? "").toMatch(expected);
});

test("a later override wins, and values are YAML", () => {
  const config = parseConfig(MINIMAL, "config.yaml", ["seed=1", "seed=2", "optimizer.learningRate=2e-4", "out='5'"]);
  expect(config.seed).toBe(2);
  expect(config.optimizer.learningRate).toBe(2e-4);
  expect(config.out).toBe("5");
  const data = parseConfig(MINIMAL, "c.yaml", ["data={kind: webdataset}", "data.path='../x-*.tar'"]).data;
  expect(data).toMatchObject({ kind: "webdataset", path: "../x-*.tar", size: 32 });
});

test("defaults are the published ones", () => {
  const { objective, optimizer, ema, out } = parseConfig(MINIMAL, "some/where/mine.yaml");
  expect(objective).toMatchObject({ path: "linear", parameterisation: "euler", velocityShare: 0.75, power: 1 });
  expect(objective).toMatchObject({ middle: { schedule: "exponent", initial: 0.1, final: 0.002 } });
  expect(optimizer).toMatchObject({ learningRate: 1e-4, beta1: 0.9, beta2: 0.99, weightDecay: 0 });
  expect(ema.decay).toBe(0.9999);
  expect(out).toBe("runs/mine");
});

test("RAdam's defaults are its own", () => {
  const { optimizer } = parseConfig(MINIMAL, "c.yaml", ["optimizer.kind=radam"]);
  expect(optimizer).toMatchObject({ kind: "radam", learningRate: 1e-4, beta1: 0.9, beta2: 0.999 });
});

test("the official configuration files' Triangular is trig", () => {
  const { objective } = parseConfig(MINIMAL, "c.yaml", [
    "objective.path=Triangular",
    "objective.parameterisation=Trig",
  ]);
  expect(objective).toMatchObject({ path: "trig", parameterisation: "trig" });
});

test("every preset resolves, by name and with overrides", () => {
  expect(presetNames()).toContain("quickstart");
  for (const name of presetNames()) {
    const config: Config = resolveConfig({ file: name, overrides: ["seed=7"] });
    expect(config.seed).toBe(7);
    expect(config.out).toBe(`runs/${name}`);
    const sizes = modelSizes(config.model);
    if ("patch" in sizes) expect(imageShape(config.data).size % sizes.patch).toBe(0);
  }
});

test("a configuration that is not there", () => {
  expect(() => resolveConfig({ file: "quikstart" })).toThrow(
    /^config quikstart: there is no such file, and no preset of that name; presets: .*; did you mean quickstart\?$/,
  );
  expect(() => resolveConfig({ file: "src" })).toThrow(/^config src: it cannot be read: /);
});

const objectiveOf = (text: string) => parseConfig(`${MINIMAL}objective: ${text}\n`, "c.yaml").objective;

test.each(["meanflow", "flow-matching", "ddpm", "edm", "consistency", "improved-consistency"])(
  "the objective %s has defaults for everything, and survives printing",
  (kind) => {
    const config = parseConfig(`${MINIMAL}objective: { kind: ${kind} }\n`, "c.yaml", ["train.steps=1000"]);
    expect(config.objective.kind).toBe(kind);
    expect(parseConfig(configToYaml(config), "printed.yaml")).toEqual(config);
  },
);

test.each([
  ["{ kind: meanflow, guidance: { omega: 0.2, kappa: 0.92 } }", undefined],
  ["{ kind: meanflow, guidance: { omega: 1, kappa: 0.5 } }", undefined],
  ["{ kind: meanflow, guidance: { omega: 0.5 } }", /omega is 0\.5 with kappa 0, an effective scale .* of 0\.5; omega/],
  ["{ kind: meanflow, guidance: { omega: 1, kappa: 1 } }", /kappa is 1; it must be below 1/],
  [
    "{ kind: meanflow, guidance: { omega: 2, labelDropout: 0 } }",
    /labelDropout is 0; guided training needs it above 0/,
  ],
  ["{ kind: meanflow, guidance: { start: 0.8, end: 0.5 } }", /start is 0\.8; it must be at most guidance\.end, 0\.5/],
  ["{ kind: consistency, curriculum: { s0: 20, s1: 10 } }", /s1 is 10; it must be at least s0, 20/],
  ["{ kind: consistency-distillation }", /objective\.teacher is missing: folder of the EDM model/],
  ["{ kind: flow }", /objective\.kind is "flow"; it must be soflow, meanflow, alpha-flow, flow-matching, ddpm, edm, /],
] as const)("objective %s", (text, message) => {
  if (message === undefined) expect(objectiveOf(text).kind).toBe("meanflow");
  else expect(() => objectiveOf(text)).toThrow(message);
});

test("points cannot be augmented", () => {
  const text = "data: { kind: points, name: moons, augment: 0.1 }\nmodel: { kind: mlp, width: 8, depth: 2 }\n";
  expect(() => parseConfig(`${text}train: { steps: 1, batch: 1 }\n`, "c.yaml")).toThrow(
    "c.yaml:1:45 data.augment is 0.1; points are not pixels, it must be 0",
  );
});

const modelOf = (text: string) =>
  parseConfig(`data: { kind: points, name: moons }\nmodel: ${text}\ntrain: { steps: 1, batch: 1 }\n`, "c.yaml").model;

test.each([
  ["{ kind: mlp, width: 8, depth: 2 }", undefined],
  ["{ kind: mlp, width: 8 }", /model\.depth is missing: number of transformer blocks/],
  ["{ kind: mlp, width: 8, depth: 2, heads: 2 }", /model\.heads is given; an mlp has width, depth only/],
] as const)("model %s", (text, message) => {
  if (message === undefined) expect(modelOf(text)).toEqual({ kind: "mlp", width: 8, depth: 2 });
  else expect(() => modelOf(text)).toThrow(message);
});
