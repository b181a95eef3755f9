import { join } from "node:path";
import { evaluate } from "../../train/evaluate/index.js";
import type { EvaluateOptions } from "../evaluate.js";
import { createProgress, formatNumber } from "../progress.js";

/** `soflow evaluate`: a line of progress, then the figures and where the page is. */
export const run = async (options: EvaluateOptions, out: (text: string) => void): Promise<void> => {
  const progress = createProgress(process.stderr);
  const onProgress = (step: number, steps: number): void => progress.update({ step, steps, values: {} });
  const results = await evaluate({ ...options, onProgress }).finally(progress.done);
  if (!results) {
    out(`features of part ${options.part?.index}/${options.part?.of}: ${options.out}; merge the parts with --merge\n`);
    return;
  }
  const { frechet, spatialFrechet, kernel, inceptionScore, precision, recall, accuracy } = results.scores;
  const figures = {
    [results.metric]: frechet,
    sFID: spatialFrechet,
    kernel: kernel?.mean,
    "Inception Score": inceptionScore?.mean,
    precision,
    recall,
    accuracy,
    floor: results.floor,
  };
  for (const [name, value] of Object.entries(figures))
    if (value !== undefined) out(`${name.padEnd(Math.max(12, results.metric.length))} ${formatNumber(value)}\n`);
  out(`${results.count} images: ${join(options.out, "index.html")}\n`);
};
