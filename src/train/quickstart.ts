import { join } from "node:path";
import { openDataset } from "../data/index.js";
import { UserError } from "../errors.js";
import { grid, toBytes } from "../formats/grid.js";
import { openRuntime } from "../runtime/index.js";
import { type Config, resolveConfig } from "./config/index.js";
import { collect, Generator, readWeights } from "./generate.js";
import { Judge, takeSamples } from "./judge.js";
import { modelPaths, readDescription } from "./model.js";
import { writePng } from "./picture.js";
import { type RunProgress, runTraining } from "./run.js";
import { runPaths } from "./runFolder.js";
import { openWeights } from "./shards.js";

export type QuickstartOptions = {
  /** Run folder. */
  readonly out: string;
  /** A smaller network and fewer steps: about a minute on two cores. */
  readonly quick: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: RunProgress) => void;
  readonly onNote?: (text: string) => void;
};

/** What the quickstart found. */
export type QuickstartResult = {
  /** Share of held-out glyphs that the classifier recognises. */
  readonly classifierAccuracy: number;
  /** Share of one-step samples that it recognises as the label they were drawn for. */
  readonly sampleAccuracy: number;
  readonly samples: number;
  /** The labelled grid. */
  readonly picture: string;
};

const SAMPLES = 1000;
const HELD_OUT = 2000;
const JUDGE = { steps: 600, batch: 128, learningRate: 2e-3 } as const;
const QUICK_JUDGE = { ...JUDGE, steps: 300 } as const;

/** Half the width and three blocks of four: a step costs a quarter, so there is time for enough of them to learn digits. */
const QUICK = [
  "model.width=64",
  "model.depth=3",
  "model.heads=2",
  "optimizer.learningRate=4e-3",
  "optimizer.warmupSteps=50",
  "ema.decay=0.99",
  "train.steps=1800",
  "train.checkpointEvery=900",
  "train.sampleEvery=900",
] as const;

/** What the quickstart trains, into the run folder `out`. */
export const quickstartConfig = ({ out, quick }: Pick<QuickstartOptions, "out" | "quick">): Config =>
  resolveConfig({ file: "quickstart", overrides: [`out=${JSON.stringify(out)}`, ...(quick ? QUICK : [])] });

/** Trains on drawn digits, draws a labelled grid, and has a classifier judge 1,000 one-step samples. */
export const quickstart = async ({
  out,
  quick,
  ...listeners
}: QuickstartOptions): Promise<QuickstartResult | undefined> => {
  const config = quickstartConfig({ out, quick });
  const classifier = quick ? QUICK_JUDGE : JUDGE;
  const runtime = await openRuntime(config.train.threads ? { threads: config.train.threads } : {});
  try {
    const { finished } = await runTraining({ config, runtime, ...listeners });
    if (!finished) return undefined;
    const folder = runPaths(out).model;
    const description = await readDescription(modelPaths(folder).config);
    const labels = description.classes.map((_, i) => i);
    const weightsFile = await openWeights(folder);
    const weights = await readWeights(description, weightsFile.read);
    await weightsFile.close();
    const generator = await Generator.create(runtime, description, { batch: 100 }, weights);
    const drawn = await collect(generator.generate({ count: SAMPLES, labels, seed: config.seed }));
    await generator.release();
    listeners.signal?.throwIfAborted();
    const picture = join(out, "samples.png");
    await writePng(picture, labelledGrid(drawn, description.network.imageSize, description.network.channels));
    listeners.onNote?.(`drew ${SAMPLES} samples, one network evaluation each; the first 100 are in ${picture}`);
    if (config.data.kind !== "glyphs") throw new UserError("quickstart: the preset must use glyphs");
    const dataset = await openDataset(config.data, config.seed);
    const judge = await Judge.train(runtime, dataset, {
      ...classifier,
      seed: config.seed,
      ...(listeners.signal && { signal: listeners.signal }),
      onProgress: (step, values) => listeners.onProgress?.({ step, steps: classifier.steps, values }),
    });
    const heldOut = await takeSamples(await openDataset(config.data, config.seed, "test"), HELD_OUT);
    const classifierAccuracy = await judge.accuracy(heldOut.images, heldOut.labels);
    const sampleAccuracy = await judge.accuracy(drawn.images, drawn.labels);
    judge.release();
    return { classifierAccuracy, sampleAccuracy, samples: SAMPLES, picture };
  } finally {
    await runtime.close();
  }
};

/** Ten rows of ten, under the labels they were drawn for. */
const labelledGrid = (
  { images, labels }: { images: Float32Array<ArrayBuffer>; labels: readonly number[] },
  size: number,
  channels: number,
) => {
  const count = 100;
  const data = toBytes(images.subarray(0, count * channels * size * size));
  return grid({ data, count, channels, size }, { columns: 10, scale: 3, labels: labels.slice(0, count) });
};
