import { importCheckpoint } from "../../train/import.js";
import type { ImportOptions } from "../import.js";
import { createProgress } from "../progress.js";

/** `soflow import`: imports, with a line of progress, and says what can be done with the result. */
export const run = async (options: ImportOptions, out: (text: string) => void): Promise<void> => {
  const progress = createProgress(process.stderr);
  const onProgress = (done: number, count: number): void => progress.update({ step: done, steps: count, values: {} });
  const imported = importCheckpoint({ ...options, onProgress, onNote: progress.note });
  const { kind, folder, step } = await imported.finally(progress.done);
  out(
    kind === "run"
      ? `a run at step ${step}: go on with soflow train --config ${folder}/config.yaml\n`
      : `a model of ${step} steps: draw from it with soflow sample ${folder}\n`,
  );
};
