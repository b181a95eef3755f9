import { Command, InvalidArgumentError, Option } from "commander";
import type { SampleOptions as LibraryOptions } from "../train/sample.js";
import { labelList, outputKind, wholeNumber } from "./options.js";

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
  soflow sample runs/first --out images/                      one PNG per image

The same seed gives the same images, whatever the batch.
`;

const weightsChoice = (text: string): SampleOptions["weights"] => {
  if (text === "ema" || text === "model") return text;
  throw new InvalidArgumentError("It must be ema or model.");
};

const output = (path: string): SampleOptions["out"] => ({ path, kind: outputKind(path) });

/** `soflow sample`; `run` draws and writes the images. */
export const sampleCommand = (run: (options: SampleOptions) => Promise<void>): Command =>
  new Command("sample")
    .description("Draw images from a trained model.")
    .argument("<run-or-model>", "run folder, model folder or checkpoint")
    .option("--count <n>", "number of images", wholeNumber(1), 64)
    .option("--steps <n>", "network evaluations per image", wholeNumber(1), 1)
    .option("--labels <list>", 'labels to draw in turn, "0,1,2" or "0-9" (default: all labels)', labelList)
    .option("--seed <n>", "seed of the noise", wholeNumber(0), 0)
    .option("--batch <n>", "images per network evaluation", wholeNumber(1), 64)
    .addOption(
      new Option("--out <path>", ".png, .npz, or a folder with a final slash")
        .argParser(output)
        .default(output("samples.png"), "samples.png"),
    )
    .option("--scale <n>", "enlarge each pixel n times in PNG output", wholeNumber(1), 1)
    .option("--weights <which>", "ema (averaged) or model (last step)", weightsChoice, "ema")
    .addHelpText("after", EXAMPLES)
    .action((source: string, { labels, ...flags }: Flags) => run({ source, labels: labels ?? null, ...flags }));
