import { sampleToFiles } from "../../train/sample.js";
import { createProgress } from "../progress.js";
import type { SampleOptions } from "../sample.js";

/** `soflow sample`: draws, with a line of progress, and says where the images are. */
export const run = async (options: SampleOptions, out: (text: string) => void): Promise<void> => {
  const progress = createProgress(process.stderr);
  const onProgress = (done: number, count: number): void => progress.update({ step: done, steps: count, values: {} });
  await sampleToFiles({ ...options, onProgress }).finally(progress.done);
  out(
    `${options.count} images, ${options.steps} evaluation${options.steps === 1 ? "" : "s"} each: ${options.out.path}\n`,
  );
};
