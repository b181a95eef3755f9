import { openDataset } from "../../data/index.js";
import { UserError } from "../../errors.js";
import { openRuntime } from "../../runtime/index.js";
import { Judge, takeSamples } from "../judge.js";
import { withFolder } from "../lock/index.js";
import { dataSource } from "./imageSet.js";
import { saveFeatures } from "./judgeFeatures.js";

export type TrainFeaturesOptions = {
  /** A preset or YAML file with data, a folder of images with a folder a label, or tar files. */
  readonly data: string;
  readonly out: string;
  /** What figures are called by: FD-<name>. */
  readonly name: string;
  readonly steps: number;
  readonly batch: number;
  /** Side of the images, where the data have no size of their own. */
  readonly size: number;
  readonly seed: number;
  readonly threads?: number;
  /** When aborted, the signal's reason is thrown after the step in progress; nothing is written. */
  readonly signal?: AbortSignal;
  /** Lines for people: what was taken over. */
  readonly onNote?: (text: string) => void;
  readonly onProgress?: (step: number, report: Readonly<Record<string, number>>) => void;
};

/** Images that the accuracy is taken on. */
const CHECKED = 2000;

/** Trains a small classifier on labelled images, and writes it as features. Returns its hash, and its accuracy on them. */
export const trainFeatures = (options: TrainFeaturesOptions): Promise<{ hash: string; accuracy: number }> =>
  withFolder(options.out, options, (signal) => trainInto({ ...options, signal }));

const trainInto = async (options: TrainFeaturesOptions): Promise<{ hash: string; accuracy: number }> => {
  const { data, out, name, size, threads, onNote: _, ...training } = options;
  const dataset = await openDataset(dataSource(data, size), 0);
  const runtime = await openRuntime(threads ? { threads } : {});
  try {
    if (dataset.classes.length < 2)
      throw new UserError(`features: ${dataset.name} has no labels; a classifier needs at least 2 of them`);
    const judge = await Judge.train(runtime, dataset, { ...training, learningRate: 2e-3, flip: false });
    const { images, labels } = await takeSamples(dataset, Math.min(CHECKED, dataset.length));
    const accuracy = await judge.accuracy(images, labels);
    await saveFeatures(judge, name, out);
    const { hash } = judge;
    judge.release();
    return { hash, accuracy };
  } finally {
    await dataset.close();
    await runtime.close();
  }
};
