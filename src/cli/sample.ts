import { Command, InvalidArgumentError } from "commander";
import { labelList, type OutputKind, outputKind, wholeNumber } from "./options.js";

export type SampleOptions = {
  /** A run folder, a checkpoint or an exported model. */
  readonly source: string;
  /** Number of images. */
  readonly count: number;
  /** Network evaluations per image. */
  readonly steps: number;
  /** Labels to draw, used in turn; null draws every label of the model in turn. */
  readonly labels: readonly number[] | null;
  readonly seed: number;
  /** Images per network evaluation. */
  readonly batch: number;
  readonly out: { readonly path: string; readonly kind: OutputKind };
  /** Each pixel becomes scale × scale pixels in PNG output. */
  readonly scale: number;
  /** The averaged weights, or those of the last step. */
  readonly weights: "ema" | "model";
};

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
    .argument("<run-or-model>", "run folder, checkpoint or exported model")
    .option("--count <n>", "number of images", wholeNumber(1), 64)
    .option("--steps <n>", "network evaluations per image", wholeNumber(1), 1)
    .option("--labels <list>", 'labels to draw in turn, "0,1,2" or "0-9" (default: all labels)', labelList)
    .option("--seed <n>", "seed of the noise", wholeNumber(0), 0)
    .option("--batch <n>", "images per network evaluation", wholeNumber(1), 64)
    .option("--out <path>", ".png, .npz, or a folder with a final slash", output, output("samples.png"))
    .option("--scale <n>", "enlarge each pixel n times in PNG output", wholeNumber(1), 1)
    .option("--weights <which>", "ema (averaged) or model (last step)", weightsChoice, "ema")
    .addHelpText("after", EXAMPLES)
    .action((source: string, { labels, ...flags }: Flags) => run({ source, labels: labels ?? null, ...flags }));
