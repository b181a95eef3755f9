import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { MeanFlowSettings } from "../../methods/meanflow.js";
import { DIT_SIZES } from "../../models/dit.js";
import { UNET_SIZES } from "../../models/unet.js";
import { readImportConfig } from "../import/config.js";
import { type Config, configToYaml, modelSizes, parseConfig, resolveConfig } from "./index.js";
import { translateOfficial } from "./official.js";
import { PRESETS, type Preset } from "./presets.js";
import { presetTable, presetYaml } from "./presetText.js";

const IMAGENET = 1_281_167;
const isLatent = ({ sections }: Preset): boolean => sections.data!.kind === "latents";
const resolved = (preset: Preset): Config => resolveConfig({ file: preset.name });

/** The value at each dotted path of a plain object. */
const leavesOf = (value: object, prefix = ""): readonly (readonly [string, unknown])[] =>
  Object.entries(value).flatMap(([key, part]) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? leavesOf(part, `${prefix}${key}.`)
      : [[`${prefix}${key}`, part] as const],
  );

describe.each(PRESETS)("$name", (preset) => {
  test("resolves to what it says, through the schema", () => {
    const found = new Map(leavesOf(resolved(preset)));
    for (const [path, value] of leavesOf(preset.sections)) expect(found.get(path), path).toEqual(value);
    expect(resolved(preset).out).toBe(`runs/${preset.name}`);
  });

  test("its configuration, printed whole, is the same again", () => {
    const config = resolved(preset);
    expect(parseConfig(configToYaml(config), "again.yaml")).toEqual(config);
  });

  test("says where it is from, what it needs and what it was published with", () => {
    expect(preset.source).toMatch(/arXiv:\d{4}\.\d{5}/);
    expect(preset.fid.one).toBeGreaterThan(1);
    if (preset.fid.two !== undefined) expect(preset.fid.two).toBeLessThan(preset.fid.one);
    const text = presetYaml(preset);
    for (const part of [preset.source, preset.needs, preset.note ?? "", String(preset.fid.one)])
      expect(text).toContain(part);
    expect(parse(text)).toEqual(preset.sections);
  });
});

test.each(PRESETS.filter(isLatent))(
  "$name sees ImageNet 80 times with patches of 4, 240 times with patches of 2",
  (preset) => {
    const { model, train } = resolved(preset);
    const { patch } = modelSizes(model) as { patch: number };
    expect((train.steps * train.batch) / IMAGENET / (patch === 4 ? 80 : 240)).toBeCloseTo(1, 2);
  },
);

test("names are their own, and the table has a line for each", () => {
  const names = PRESETS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(presetTable()).toMatch(new RegExp(`^${name} `, "m"));
});

test("every size of either paper is there", () => {
  for (const method of ["soflow", "meanflow"])
    for (const size of Object.keys(DIT_SIZES).map((size) => size.slice("DiT-".length).replace("/", "").toLowerCase()))
      expect(PRESETS.map(({ name }) => name)).toContain(`${method}-imagenet-${size}`);
});

test("fewer errors come with larger networks", () => {
  for (const method of ["soflow", "meanflow"]) {
    const fids = ["b2", "m2", "l2", "xl2"].map((size) => resolvedFid(`${method}-imagenet-${size}`));
    expect(fids).toEqual(fids.toSorted((a, b) => b - a));
  }
});

const named = (name: string): Preset => PRESETS.find((preset) => preset.name === name)!;
const resolvedFid = (name: string): number => named(name).fid.one;

test("MeanFlow's effective guidance scales ω / (1 − κ) are those published: 3, 2, 2, 2.5, 2.5", () => {
  const scales = ["b4", "b2", "m2", "l2", "xl2"].map((size) => {
    const { objective } = resolved(named(`meanflow-imagenet-${size}`));
    const { omega, kappa } = (objective as MeanFlowSettings).guidance;
    return omega / (1 - kappa);
  });
  [3, 2, 2, 2.5, 2.5].forEach((scale, i) => {
    expect(scales[i]).toBeCloseTo(scale, 9);
  });
});

/** The official files' keys with the published values. */
const OFFICIAL_IMAGENET = `
noising_type: Linear
coefficient_type: Euler
model_type: DiT-XL-2
dataset_type: Imagenet
data_size: 32
velocity_loss_ratio: 0.75
p: 1.0
eps: 0.01
time_mean: [-0.2, -1.0, 0.2]
time_std: [1.0, 0.8, 0.8]
cfg_scale: 3.0
mix_ratio: 0.25
cfg_drop_rate: 0.1
cfg_decay_time: 0.8
l_schedule: exponent
l_init_ratio: 0.1
l_end_ratio: 0.002
total_steps: 1200000
batch_size: 256
ema_decay_rate: 0.9999
learning_rate: 0.0001
betas: [0.9, 0.99]
`;

const OFFICIAL_CIFAR10 = `
model_type: UNet
dataset_type: CIFAR10
dataset_path: cifar-10-batches-bin
velocity_loss_ratio: 0.0
p: 0.75
eps: 0.001
time_mean: [-0.9, -4.0, -0.9]
time_std: [1.6, 1.6, 1.6]
l_schedule: exponent
l_init_ratio: 1.0
l_end_ratio: 0.0003125
total_steps: 800000
batch_size: 1024
ema_decay_rate: 0.9999
learning_rate: 0.0001
betas: [0.9, 0.999]
`;

/** How often a run logs and saves is its own affair. */
const essence = ({ train: { steps, batch }, out: _, ...config }: Config) => ({ ...config, train: { steps, batch } });

const importedFrom = (text: string): Config => {
  const { sections, dataset } = translateOfficial(parse(text) as Record<string, unknown>, "official.yaml");
  const { kind, path, augment } = dataset;
  const data =
    kind === "imagenet" ? { kind: "latents", path: "imagenet-latents.h5" } : { kind, path, augment, labels: false };
  return parseConfig(JSON.stringify({ ...sections, data }), "official.yaml");
};

test("the official code's files translate to the same settings as the presets", () => {
  expect(essence(importedFrom(OFFICIAL_IMAGENET))).toEqual(essence(resolved(named("soflow-imagenet-xl2"))));
  expect(essence(importedFrom(OFFICIAL_CIFAR10))).toEqual(essence(resolved(named("soflow-cifar10"))));
});

test("the networks have the published sizes", () => {
  for (const preset of PRESETS.filter(isLatent)) {
    const size = /imagenet-([a-z]+)(\d)/.exec(preset.name)!;
    expect(preset.sections.model).toEqual({ name: `DiT-${size[1]!.toUpperCase()}/${size[2]}` });
  }
  const { dropout, ...unet } = UNET_SIZES["DDPM++"];
  expect(modelSizes(resolved(named("soflow-cifar10")).model)).toEqual({ ...unet, dropout });
  expect(modelSizes(resolved(named("meanflow-cifar10")).model)).toEqual({ ...unet, dropout: 0.2 });
});

test("a preset may be the configuration that a checkpoint is imported with", () => {
  const { config, shape } = readImportConfig("soflow-cifar10", ["seed=4"]);
  expect(config).toEqual({ ...resolved(named("soflow-cifar10")), seed: 4 });
  expect(shape).toEqual({ channels: 3, height: 32, width: 32 });
});

test("a name that is nearly a preset's", () => {
  expect(() => resolveConfig({ file: "soflow-imagnet-xl2" })).toThrow(
    /soflow presets lists those of published results; did you mean soflow-imagenet-xl2\?$/,
  );
});
