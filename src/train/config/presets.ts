/** A published result and the settings that it was reached with, as a configuration of ours. */
export type Preset = {
  readonly name: string;
  /** Sections of a configuration; what they leave out keeps its default. */
  readonly sections: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Published FID-50K of one evaluation, and of two where it was published. */
  readonly fid: { readonly one: number; readonly two?: number };
  /** The paper, and where its numbers stand. */
  readonly source: string;
  /** What training needs, in words. */
  readonly needs: string;
  /** Where the settings are not all published, or differ from the published ones. */
  readonly note?: string;
};

type Size = "DiT-B/4" | "DiT-B/2" | "DiT-M/2" | "DiT-L/2" | "DiT-XL/2";
type Fid = Preset["fid"];
type Sections = Preset["sections"];

const SOFLOW = "SoFlow, arXiv:2512.15657, and the table in its official code's readme";
/** Of numbers that no second source confirmed. */
const UNCHECKED = "were not checked against the paper";
const MEANFLOW = "MeanFlow, arXiv:2505.13447, table 2";
const LATENTS = "ImageNet-1k encoded at 256 pixels with sd-vae-ft-mse (soflow encode), about 1.28 M latents of 4×32×32";
const CIFAR10 = "CIFAR-10 in its binary form, data_batch_1.bin to data_batch_5.bin";

const latents = { kind: "latents", path: "imagenet-latents.h5" };
const cifar10 = { kind: "cifar10", path: "cifar-10-batches-bin", labels: false, augment: 0.12 };
/** A batch of 256: 80 epochs of ImageNet, and 240. */
const EPOCHS_80 = 400_000;
const EPOCHS_240 = 1_200_000;

const loop = (steps: number, batch: number) => ({
  steps,
  batch,
  logEvery: 100,
  sampleEvery: 10_000,
  checkpointEvery: 10_000,
});

const logitNormal = (mean: number, deviation: number) => ({ mean, deviation });

const soflowImageNet = (size: Size, steps: number): Sections => ({
  data: latents,
  model: { name: size },
  objective: {
    kind: "soflow",
    velocityShare: 0.75,
    power: 1,
    epsilon: 0.01,
    times: { velocity: logitNormal(-0.2, 1), first: logitNormal(-1, 0.8), second: logitNormal(0.2, 0.8) },
    middle: { schedule: "exponent", initial: 0.1, final: 0.002 },
    guidance: { scale: 3, mix: 0.25, decayTime: 0.8, labelDropout: 0.1 },
  },
  optimizer: { kind: "adamw", learningRate: 1e-4, beta1: 0.9, beta2: 0.99 },
  ema: { decay: 0.9999 },
  train: loop(steps, 256),
});

const soflowPreset = (name: string, size: Size, steps: number, fid: Fid): Preset => ({
  name: `soflow-imagenet-${name}`,
  sections: soflowImageNet(size, steps),
  fid,
  source: SOFLOW,
  needs: LATENTS,
});

/** Without labels there is nothing to guide with. */
const unconditional = ({ sections, ...preset }: Preset): Preset => ({
  ...preset,
  sections: {
    ...sections,
    data: { ...latents, labels: false },
    objective: { ...sections.objective, guidance: { scale: 1, labelDropout: 0 } },
  },
});

const soflowCifar10: Preset = {
  name: "soflow-cifar10",
  sections: {
    data: cifar10,
    model: { name: "DDPM++" },
    objective: {
      kind: "soflow",
      velocityShare: 0,
      power: 0.75,
      epsilon: 0.001,
      times: { velocity: logitNormal(-0.9, 1.6), first: logitNormal(-4, 1.6), second: logitNormal(-0.9, 1.6) },
      middle: { schedule: "exponent", initial: 1, final: 0.0003125 },
      guidance: { scale: 1, labelDropout: 0 },
    },
    optimizer: { kind: "radam", learningRate: 1e-4, beta1: 0.9, beta2: 0.999 },
    ema: { decay: 0.9999, every: 16, precision: "float64" },
    train: loop(800_000, 1024),
  },
  fid: { one: 2.86, two: 2.2827 },
  source: SOFLOW,
  needs: CIFAR10,
};

type Guidance = { readonly omega: number; readonly kappa: number; readonly end?: number };

const meanflowPreset = (name: string, size: Size, steps: number, guidance: Guidance, fid: number): Preset => ({
  name: `meanflow-imagenet-${name}`,
  sections: {
    data: latents,
    model: { name: size },
    objective: {
      kind: "meanflow",
      velocityShare: 0.75,
      power: 1,
      epsilon: 0.01,
      times: { sampler: "ordered", t: logitNormal(-0.4, 1), r: logitNormal(-0.4, 1) },
      guidance: { ...guidance, labelDropout: 0.1 },
    },
    optimizer: { kind: "adamw", learningRate: 1e-4, beta1: 0.9, beta2: 0.95 },
    ema: { decay: 0.9999 },
    train: loop(steps, 256),
  },
  fid: { one: fid },
  source: MEANFLOW,
  needs: LATENTS,
});

const meanflowCifar10: Preset = {
  name: "meanflow-cifar10",
  sections: {
    data: cifar10,
    model: {
      kind: "unet",
      width: 128,
      depth: 4,
      multipliers: [2, 2, 2],
      attention: [16],
      dropout: 0.2,
      augment: 6,
    },
    objective: {
      kind: "meanflow",
      velocityShare: 0.25,
      power: 0.75,
      epsilon: 0.001,
      times: { sampler: "separate", t: logitNormal(-0.6, 1.6), r: logitNormal(-4, 1.6) },
      guidance: { omega: 1, kappa: 0, labelDropout: 0 },
    },
    optimizer: { kind: "adamw", learningRate: 6e-4, beta1: 0.9, beta2: 0.999, warmupSteps: 10_000 },
    ema: { decay: 0.99995 },
    train: loop(800_000, 1024),
  },
  fid: { one: 2.92 },
  source: "MeanFlow, arXiv:2505.13447, table 3 and appendix A",
  needs: CIFAR10,
  note: `times as in the official code; the paper draws t and r both from σ(N(−2, 2)); learning rate, warm-up, dropout and average ${UNCHECKED}`,
};

/** Table 1f of MeanFlow: guidance with κ = 0, at 80 epochs. */
const ablation = (preset: Preset): Preset => ({ ...preset, source: "MeanFlow, arXiv:2505.13447, table 1f" });

/** All published rows of both papers that the networks here have the size for. */
export const PRESETS: readonly Preset[] = [
  unconditional(soflowPreset("b4-unconditional", "DiT-B/4", EPOCHS_80, { one: 58.5646, two: 58.224 })),
  soflowPreset("b4", "DiT-B/4", EPOCHS_80, { one: 11.5897, two: 8.2212 }),
  soflowPreset("b2", "DiT-B/2", EPOCHS_240, { one: 4.8491, two: 4.2435 }),
  soflowPreset("m2", "DiT-M/2", EPOCHS_240, { one: 3.7329, two: 3.4229 }),
  soflowPreset("l2", "DiT-L/2", EPOCHS_240, { one: 3.2007, two: 2.8995 }),
  soflowPreset("xl2", "DiT-XL/2", EPOCHS_240, { one: 2.9617, two: 2.6606 }),
  soflowCifar10,
  {
    ...ablation(meanflowPreset("b4-unguided", "DiT-B/4", EPOCHS_80, { omega: 1, kappa: 0 }, 61.06)),
    note: `FID and settings ${UNCHECKED}`,
  },
  {
    ...ablation(meanflowPreset("b4", "DiT-B/4", EPOCHS_80, { omega: 3, kappa: 0 }, 15.53)),
    note: `the official code's own file for B/4 guides with ω 1 and κ 0.5 instead; FID and ω ${UNCHECKED}`,
  },
  {
    ...meanflowPreset("b2", "DiT-B/2", EPOCHS_240, { omega: 1, kappa: 0.5 }, 6.17),
    note: `ω and κ as in a reproduction of the official code; they ${UNCHECKED}`,
  },
  {
    ...meanflowPreset("m2", "DiT-M/2", EPOCHS_240, { omega: 1, kappa: 0.5 }, 5.01),
    note: "guidance as for B/2: ω and κ of M/2 were not confirmed by a second source",
  },
  {
    ...meanflowPreset("l2", "DiT-L/2", EPOCHS_240, { omega: 0.2, kappa: 0.92, end: 0.8 }, 3.84),
    note: `ω, κ and the end of guidance as in a reproduction of the official code; they ${UNCHECKED}`,
  },
  meanflowPreset("xl2", "DiT-XL/2", EPOCHS_240, { omega: 0.2, kappa: 0.92, end: 0.75 }, 3.43),
  meanflowCifar10,
];
