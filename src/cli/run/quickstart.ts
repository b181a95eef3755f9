import { quickstart } from "../../train/quickstart.js";
import { createProgress, formatDuration } from "../progress.js";
import type { QuickstartOptions } from "../quickstart.js";

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** `soflow quickstart`: trains, draws, judges, and says what to do next. */
export const run = async (options: QuickstartOptions, out: (text: string) => void): Promise<void> => {
  const start = performance.now();
  const progress = createProgress(process.stderr);
  const result = await quickstart({ ...options, onProgress: progress.update, onNote: progress.note }).finally(
    progress.done,
  );
  if (!result) return;
  const { classifierAccuracy, sampleAccuracy, samples, picture } = result;
  out(
    `${percent(sampleAccuracy)} of ${samples} one-step samples are recognised as their label ` +
      `(by a classifier that recognises ${percent(classifierAccuracy)} of held-out glyphs)\n` +
      `look at ${picture}; draw more with: npx soflow sample ${options.out} --count 64 --scale 4\n` +
      `took ${formatDuration((performance.now() - start) / 1000)}\n` +
      (options.quick
        ? "this was the quick run: npx soflow quickstart trains a larger network for clearer digits\n"
        : ""),
  );
};
