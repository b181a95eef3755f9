import { type DownloadProgress, fetchModel } from "../../train/hub/hub.js";
import type { DownloadOptions } from "../download.js";
import { createProgress } from "../progress.js";

const MEGABYTE = 1e6;

/** A line of progress in megabytes of the file in hand. */
export const downloadProgress = (progress: ReturnType<typeof createProgress>) => {
  return ({ loaded, total }: DownloadProgress): void =>
    progress.update({ step: Math.round(loaded / MEGABYTE), steps: Math.ceil(total / MEGABYTE), values: {} });
};

/** `soflow download`: fetches a model and prints its folder. */
export const run = async ({ id, ...options }: DownloadOptions, out: (text: string) => void): Promise<void> => {
  const progress = createProgress(process.stderr);
  const folder = await fetchModel(id, { ...options, onProgress: downloadProgress(progress) }).finally(progress.done);
  out(`${folder}\n`);
};
