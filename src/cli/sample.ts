import { Command, InvalidArgumentError, Option } from "commander";
import { LIMITS } from "../checks/limits.js";
import type { SampleOptions as LibraryOptions } from "../train/sample.js";
import { decimal, labelList, outputKind, SAMPLER_NAMES, wholeNumber } from "./options.js";

/** What the library's `sampleToFiles` takes, but for what the command adds itself. */
export type SampleOptions = Omit<LibraryOptions, "onProgress" | "runtime">;

type Flags = Omit<SampleOptions, "source" | "out" | "labels"> & {
  readonly out: SampleOptions["out"];
  readonly labels?: readonly number[];
};

const EXAMPLES = `
Examples:
  soflow sample runs/quickstart                               one sheet of 64 images, one evaluation each
  soflow sample runs/quickstart --labels 0-9 --count 100 --out digits.png --scale 4
  soflow sample runs/first --steps 2 --count 50000 --batch 256 --out samples.npz
  soflow sample runs/flow --sampler dopri5 --guidance 2       a flow matching model, guided
  soflow sample runs/first --out images/                      one PNG per image
  soflow sample imagenet-b2 --vae sd-vae-ft-mse --count 4     latents, decoded to 256×256 images

Samplers: ${SAMPLER_NAMES.join(", ")}.
A sampler that does not fit the model says why, and which do.
The same seed gives the same images, whatever the batch.
`;

const weightsChoice = (text: string): "ema" | "model" => {
  if (text === "ema" || text === "model") return text;
  throw new InvalidArgumentError("It must be ema or model.");
};

const precision = (text: string): "float32" | "int8" => {
  if (text === "float32" || text === "int8") return text;
  throw new InvalidArgumentError("It must be float32 or int8.");
};

const output = (path: string): SampleOptions["out"] => ({ path, kind: outputKind(path) });

/** `soflow sample`; `run` draws and writes the images. */
export const sampleCommand = (run: (options: SampleOptions) => Promise<void>): Command =>
  new Command("sample")
    .description("Draw images from a trained model.")
    .argument("<run-or-model>", "run folder, model folder or checkpoint")
    .option("--count <n>", "number of images", wholeNumber(1, LIMITS.count), 64)
    .option("--sampler <name>", "how to draw (default: as the model's method is usually drawn from)")
    .option(
      "--steps <n>",
      "steps of the sampler (default: the method's; 1 for one-step models)",
      wholeNumber(1, LIMITS.steps),
    )
    .option("--guidance <w>", "classifier-free guidance, for models trained without it (default: 1)", decimal)
    .option("--eta <x>", "ddim: 0 is deterministic, 1 as noisy as ancestral (default: 0)", decimal)
    .option("--churn <x>", "edm: amount of noise put back (default: 0)", decimal)
    .option("--atol <x>", "dopri5: absolute tolerance (default: 1e-6)", decimal)
    .option("--rtol <x>", "dopri5: relative tolerance (default: 1e-3)", decimal)
    .option("--labels <list>", 'labels to draw in turn, "0,1,2" or "0-9" (default: all labels)', labelList)
    .option("--precision <kind>", "float32, or int8: faster on large models, about 1 % off", precision, "float32")
    .option("--threads <n>", "threads of the runtime (default: all cores)", wholeNumber(1, LIMITS.threads))
    .option("--seed <n>", "seed of the noise", wholeNumber(0), 0)
    .option("--batch <n>", "images per network evaluation", wholeNumber(1, LIMITS.batch), 64)
    .addOption(
      new Option("--out <path>", ".png, .npz, or a folder with a final slash")
        .argParser(output)
        .default(output("samples.png"), "samples.png"),
    )
    .option("--scale <n>", "enlarge each pixel n times in PNG output", wholeNumber(1, LIMITS.scale), 1)
    .option("--vae <dir>", "folder of the autoencoder, for models that draw latents")
    .option("--weights <which>", "ema (averaged) or model (last step)", weightsChoice, "ema")
    .addHelpText("after", EXAMPLES)
    .action((source: string, { labels, ...flags }: Flags) => run({ source, labels: labels ?? null, ...flags }));
