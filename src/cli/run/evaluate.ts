import { join } from "node:path";
import { evaluate, evaluateRepeats, type Figure, figuresOf, figureText } from "../../train/evaluate/index.js";
import type { EvaluateOptions } from "../evaluate.js";
import { createProgress } from "../progress.js";

const show = (figures: readonly Figure[], out: (text: string) => void): void => {
  const width = Math.max(...figures.map(({ name }) => name.length));
  for (const figure of figures) out(`${figure.name.padEnd(width)}  ${figureText(figure)}\n`);
};

/** `soflow evaluate`: a line of progress, then the figures and where the page is. */
export const run = async ({ repeats, ...options }: EvaluateOptions, out: (text: string) => void): Promise<void> => {
  const progress = createProgress(process.stderr);
  const onProgress = (step: number, steps: number): void => progress.update({ step, steps, values: {} });
  const listeners = { onProgress, onNote: progress.note };
  const page = join(options.out, "index.html");
  if (repeats !== undefined) {
    const { figures, results } = await evaluateRepeats({ ...options, ...listeners }, repeats).finally(progress.done);
    show(figures, out);
    out(`${repeats} times ${results[0]!.count} images: ${page}\n`);
    return;
  }
  const results = await evaluate({ ...options, ...listeners }).finally(progress.done);
  if (!results) {
    out(`features of part ${options.part?.index}/${options.part?.of}: ${options.out}; merge the parts with --merge\n`);
    return;
  }
  show(figuresOf(results), out);
  out(`${results.count} images: ${page}\n`);
};
