import { resolveModel } from "../../train/hub/hub.js";
import { sampleToFiles } from "../../train/sample.js";
import { createProgress } from "../progress.js";
import type { SampleOptions } from "../sample.js";
import { downloadProgress } from "./download.js";

/** `soflow sample`: draws, with a line of progress, and says where the images are. */
export const run = async (options: SampleOptions, out: (text: string) => void): Promise<void> => {
  const progress = createProgress(process.stderr);
  const source = await resolveModel(options.source, { onProgress: downloadProgress(progress) });
  const onProgress = (done: number, count: number): void => progress.update({ step: done, steps: count, values: {} });
  const evaluations = await sampleToFiles({ ...options, source, onProgress }).finally(progress.done);
  out(`${options.count} images, ${evaluations} evaluation${evaluations === 1 ? "" : "s"} each: ${options.out.path}\n`);
};
