import { expect, test } from "vitest";
import { parse } from "yaml";
import { isOfficial, translateOfficial } from "./official.js";

const translate = (text: string) => translateOfficial(parse(text) as Record<string, unknown>, "config.yaml");

test("the official values of ImageNet-256 become those of our schema", () => {
  const { sections, image, dataset } = translate(`
noising_type: Linear
coefficient_type: Euler
model_type: DiT-XL-2
dataset_type: Imagenet
data_size: 32
dataset_path: ./imagenet_latent
time_mean: [-0.2, -1.0, 0.2]
time_std: [1.0, 0.8, 0.8]
cfg_scale: 3.0
cfg_drop_rate: 0.1
total_steps: 1200000
`);
  expect(sections).toEqual({
    model: { name: "DiT-XL/2" },
    objective: {
      path: "linear",
      parameterisation: "euler",
      times: {
        velocity: { mean: -0.2, deviation: 1 },
        first: { mean: -1, deviation: 0.8 },
        second: { mean: 0.2, deviation: 0.8 },
      },
      guidance: { scale: 3, labelDropout: 0.1 },
    },
    train: { steps: 1_200_000, batch: 256 },
  });
  expect(image).toEqual({ size: 32, channels: 4 });
  expect(dataset).toEqual({ kind: "imagenet", path: "./imagenet_latent", augment: 0 });
});

test("case, dashes and nesting do not matter; what is left out keeps the official code's defaults", () => {
  const { sections, image } = translate(`
Network: { Model-Name: b/4 }
Path: TRIG
dataset: { dataset_type: cifar10 }
training: { optim: { LR: 0.5, betas: [0.1, 0.2] }, schedule: { R-Schedule: CONST } }
`);
  expect(sections).toEqual({
    model: { name: "DiT-B/4" },
    objective: { path: "trig", guidance: { labelDropout: 0 }, middle: { schedule: "const" } },
    optimizer: { learningRate: 0.5, beta1: 0.1, beta2: 0.2 },
    train: { steps: 400_000, batch: 256 },
  });
  expect(image).toEqual({ size: 32, channels: 3 });
});

test.each(["UNet", "SongUNet", "ddpmpp", "DDPM++"])("the U-Net by its name %s", (name) => {
  expect(translate(`model_type: ${name}\ndataset_type: CIFAR10`).sections.model).toEqual({ name: "DDPM++" });
});

test.each([
  ["lr: 1\nlearning_rate: 2", /^config\.yaml: learning_rate is given twice$/],
  [
    "lr: 1\nwarmup: 2\n__proto__x: 3",
    /^config\.yaml: unknown keys warmup, __proto__x; the known ones: model_type, model, .*eval_nfe$/,
  ],
  ["noising_type: cubic", /^config\.yaml: noising_type is "cubic"; it must be linear, trig or triangular$/],
  ["noising_type: constructor", /^config\.yaml: noising_type is "constructor"; it must be linear, trig or triangular$/],
  ["betas: 0.9", /^config\.yaml: betas is 0\.9; it must be a list of 2 numbers$/],
  ["time_mean: [1, 2]", /^config\.yaml: time_mean is \[1,2\]; it must be a list of 3 numbers$/],
  ["model_type: DiT-S/8", /^config\.yaml: model_type is "DiT-S\/8"; networks that can be imported are DiT-B\/4, /],
  ["data_size: big", /^config\.yaml: data_size is "big"; it must be a whole number of at least 1$/],
])("%j is refused", (text, line) => {
  expect(() => translate(text)).toThrow(line);
});

test.each([
  ["noising_type: Linear", true],
  ["model: { depth: 2 }\nlr: 1", true],
  ["data: { kind: glyphs }\nmodel: { depth: 2 }\ntrain: {}", false],
  ["seed: 1", false],
  ["- 1", false],
  ["", false],
])("%j: official is %s", (text, official) => {
  expect(isOfficial(parse(text))).toBe(official);
});
