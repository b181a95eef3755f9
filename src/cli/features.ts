import { Command } from "commander";
import { LIMITS } from "../checks/limits.js";
import type { TrainFeaturesOptions } from "../train/evaluate/index.js";
import { UsageError } from "./errors.js";
import { interruptible } from "./interrupt.js";
import { wholeNumber } from "./options.js";

export type FeaturesOptions = Omit<TrainFeaturesOptions, "onProgress" | "onNote">;
type Flags = Omit<FeaturesOptions, "data" | "out" | "name" | "signal"> & {
  readonly out?: string;
  readonly name?: string;
};

const EXAMPLES = `
Examples:
  soflow features train quickstart --out runs/features
  soflow features train cifar10-small --steps 3000 --out runs/cifar-features
  soflow features train data/flowers --size 64 --out runs/flower-features
`;

const NAME = /^[\w.-]+$/;

const nameOf = (name: string | undefined, data: string): string => {
  const own = name ?? `${data.replace(/^.*\/(?=[^/])|\/$|\.ya?ml$/g, "").replace(/[^\w.-]/g, "")}-classifier`;
  if (!NAME.test(own) || own === "inception")
    throw new UsageError(
      `features: the name ${JSON.stringify(own)} must be letters, digits, '.', '-' and '_', and not inception`,
    );
  return own;
};

const trainCommand = (run: (options: FeaturesOptions) => Promise<void>): Command =>
  new Command("train")
    .description("Train a small classifier on labelled images, whose features soflow evaluate compares sets by.")
    .argument("<data>", "preset or YAML file with data, folder of images with a folder a label, or tar files")
    .option("--out <dir>", "the folder to write (required)")
    .option("--name <name>", "what figures are called by (default: of the data)")
    .option("--steps <n>", "training steps", wholeNumber(1, LIMITS.trainSteps), 600)
    .option("--batch <n>", "images per step", wholeNumber(1, LIMITS.batch), 128)
    .option("--size <n>", "side of the images of a folder or tar files", wholeNumber(8, LIMITS.imageSize), 32)
    .option("--seed <n>", "seed of weights and order", wholeNumber(0), 0)
    .option("--threads <n>", "threads of the runtime (default: all cores)", wholeNumber(1, LIMITS.threads))
    .addHelpText("after", EXAMPLES)
    .action((data: string, { out, name, ...flags }: Flags) =>
      interruptible(
        async (signal) => {
          if (out === undefined) throw new UsageError("features: --out is missing; give the folder to write");
          await run({ ...flags, data, out, name: nameOf(name, data), signal });
        },
        { unit: "this step", after: "nothing was written; the same command begins anew" },
      ),
    );

/** `soflow features train`; `run` trains and writes. */
export const featuresCommand = (run: (options: FeaturesOptions) => Promise<void>): Command =>
  new Command("features").description("Make features that samples are compared by.").addCommand(trainCommand(run));
