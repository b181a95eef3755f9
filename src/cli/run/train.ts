import { runTraining } from "../../train/run.js";
import { runPaths } from "../../train/runFolder.js";
import { createProgress } from "../progress.js";
import type { TrainOptions } from "../train.js";

/** `soflow train`: the run with its live line, then where its results are. */
export const run = async ({ config, resumeFrom, signal }: TrainOptions, out: (text: string) => void): Promise<void> => {
  const progress = createProgress(process.stderr);
  const listeners = { onProgress: progress.update, onNote: progress.note };
  const { finished, folder } = await runTraining({ config, resumeFrom, signal, ...listeners }).finally(progress.done);
  if (finished)
    out(
      `trained ${config.train.steps} steps: samples, metrics and checkpoints in ${folder}, the model in ${runPaths(folder).model}\n`,
    );
};
