import { encodeImages, mergeLatents } from "../../train/encode/index.js";
import type { EncodeJob } from "../encode.js";
import { createProgress } from "../progress.js";

/** `soflow encode`: encodes with a line of progress, or joins parts, and says how many latents there are. */
export const run = async (job: EncodeJob, out: (text: string) => void): Promise<void> => {
  if (job.kind === "merge") {
    out(`${await mergeLatents(job.out, job.parts, job)} latents of ${job.parts.length} parts: ${job.out}\n`);
    return;
  }
  const progress = createProgress(process.stderr);
  const onProgress = (done: number, count: number): void => progress.update({ step: done, steps: count, values: {} });
  const rows = await encodeImages({ ...job, onProgress, onNote: progress.note }).finally(progress.done);
  if (rows !== undefined) out(`${rows} latents: ${job.out}\n`);
};
