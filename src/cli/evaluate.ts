import { Command, InvalidArgumentError } from "commander";
import { LIMITS } from "../checks/limits.js";
import type { SamplerName } from "../samplers/index.js";
import type { EvaluateOptions as LibraryOptions } from "../train/evaluate/index.js";
import { UsageError } from "./errors.js";
import { interruptible } from "./interrupt.js";
import { decimal, SAMPLER_NAMES, wholeNumber } from "./options.js";

/** What the library's `evaluate` takes, but for what the command adds itself. */
export type EvaluateOptions = Omit<LibraryOptions, "onProgress" | "onNote"> & { readonly repeats?: number };

type Part = { readonly index: number; readonly of: number };
type Flags = {
  readonly reference?: string;
  readonly features?: string;
  readonly count: number;
  readonly sampler?: SamplerName;
  readonly steps?: number;
  readonly guidance?: number;
  readonly seed: number;
  readonly vae?: string;
  readonly pairs: number;
  readonly repeats?: number;
  readonly part?: Part;
  readonly merge?: readonly string[];
  readonly threads?: number;
  readonly cache: string;
  readonly out: string;
};

const EXAMPLES = `
Examples:
  soflow features train quickstart --out runs/features
  soflow evaluate runs/quickstart --reference quickstart --features runs/features -n 5000
  soflow evaluate samples.npz --reference cifar10-small --features runs/features
  soflow evaluate samples.npz --reference VIRTUAL_imagenet256.npz --features inception    FID, sFID, Inception Score
  soflow evaluate runs/quickstart --reference quickstart --features runs/features -n 5000 --repeats 3
                                                                     with three seeds: mean and deviation
  soflow evaluate imagenet-b2 --vae sd-vae-ft-mse --reference VIRTUAL_imagenet256.npz --features inception
  soflow evaluate runs/first --reference data/ --features runs/features --part 1/2 --out runs/part1
  soflow evaluate runs/first --reference data/ --features runs/features --merge runs/part1 runs/part2

Figures on features that were trained here are called FD-<name>-<hash>: they are no FID.
A killed evaluation goes on where it was; parts merge to exactly the figures of one run.
`;

const share = (text: string): Part => {
  const [, index, of] = /^(\d+)\/(\d+)$/.exec(text)?.map(Number) ?? [];
  if (index === undefined || of === undefined || index < 1 || index > of)
    throw new InvalidArgumentError("It must be i/n with i from 1 to n, such as 1/4.");
  return { index, of };
};

const required = (value: string | undefined, flag: string, what: string): string => {
  if (value === undefined) throw new UsageError(`evaluate: ${flag} is missing; give ${what}`);
  return value;
};

const toOptions = (samples: string, flags: Flags, signal: AbortSignal): EvaluateOptions => {
  const { reference, features, sampler, steps, guidance, seed, vae, part, merge, threads, repeats, ...rest } = flags;
  return {
    samples,
    reference: required(reference, "--reference", "an .npz file, a preset or YAML file with data, or a folder"),
    features: required(features, "--features", "a folder of soflow features train, or inception"),
    ...rest,
    draw: {
      seed,
      ...(sampler && { sampler }),
      ...(steps && { steps }),
      ...(guidance !== undefined && { guidance }),
      ...(vae && { vae }),
    },
    ...(repeats !== undefined && { repeats }),
    ...(part && { part }),
    ...(merge && { merge }),
    ...(threads && { threads }),
    signal,
  };
};

/** `soflow evaluate`; `run` computes and writes the figures. */
export const evaluateCommand = (run: (options: EvaluateOptions) => Promise<void>): Command =>
  new Command("evaluate")
    .description("Score samples against data: Fréchet and kernel distance, precision, recall, nearest images.")
    .argument("<model-or-samples>", "run folder, model folder or checkpoint; .npz file or folder of images")
    .option(
      "--reference <ref>",
      ".npz file (mu and sigma, or images), preset or YAML file with data, folder (required)",
    )
    .option(
      "--features <dir>",
      "folder of soflow features train, inception, or a file of its weights (.pth, .pb) (required)",
    )
    .option("-n, --count <n>", "images; at most as many as there are", wholeNumber(2, LIMITS.count), 50_000)
    .option("--sampler <name>", `how to draw: ${SAMPLER_NAMES.join(", ")}`)
    .option("--steps <n>", "steps of the sampler", wholeNumber(1, LIMITS.steps))
    .option("--guidance <w>", "classifier-free guidance", decimal)
    .option("--seed <n>", "seed of the noise", wholeNumber(0), 0)
    .option("--repeats <n>", "draw with as many seeds, from --seed on: figures get a deviation", wholeNumber(2))
    .option("--vae <dir>", "folder of the autoencoder, for models that draw latents")
    .option("--pairs <n>", "images compared pair by pair: precision, recall, kernel distance", wholeNumber(4), 50_000)
    .option("--part <i/n>", "compute features of part i of n alone", share)
    .option("--merge <dirs...>", "output folders of parts")
    .option("--threads <n>", "threads of the runtime (default: all cores)", wholeNumber(1, LIMITS.threads))
    .option("--cache <dir>", "where the features of references are kept", "runs/reference-features")
    .option("--out <dir>", "the folder to write", "runs/evaluation")
    .addHelpText("after", EXAMPLES)
    .action((samples: string, flags: Flags) =>
      interruptible((signal) => run(toOptions(samples, flags, signal)), {
        unit: "this block of images",
        after: "the same command resumes after the images whose features are there",
      }),
    );
