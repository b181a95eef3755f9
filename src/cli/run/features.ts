import { trainFeatures } from "../../train/evaluate/index.js";
import type { FeaturesOptions } from "../features.js";
import { createProgress } from "../progress.js";

/** `soflow features train`. */
export const run = async (options: FeaturesOptions, out: (text: string) => void): Promise<void> => {
  const progress = createProgress(process.stderr);
  const onProgress = (step: number, values: Readonly<Record<string, number>>): void =>
    progress.update({ step, steps: options.steps, values });
  const { hash, accuracy } = await trainFeatures({ ...options, onProgress, onNote: progress.note }).finally(
    progress.done,
  );
  out(`${options.name}-${hash}: knows ${(100 * accuracy).toFixed(1)} % of its data's labels: ${options.out}\n`);
};
