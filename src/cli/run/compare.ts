import { terminalReport } from "../../compare/report/index.js";
import { comparisonPaths, runComparison } from "../../compare/run.js";
import type { CompareOptions } from "../compare.js";
import { createProgress } from "../progress.js";
import { packageVersion } from "../version.js";

/** `soflow compare`: the runs with their live lines, then the table and where the page is. */
export const run = async ({ config, signal }: CompareOptions, out: (text: string) => void): Promise<void> => {
  const progress = createProgress(process.stderr);
  const listeners = { onProgress: progress.update, onNote: progress.note };
  const comparison = await runComparison({ config, signal, version: packageVersion(), ...listeners }).finally(
    progress.done,
  );
  if (comparison) out(`${terminalReport(comparison)}\n${comparisonPaths(config.out).html}\n`);
};
