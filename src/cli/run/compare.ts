import { terminalReport } from "../../compare/report/index.js";
import { comparisonPaths, runComparison } from "../../compare/run.js";
import type { CompareOptions } from "../compare.js";
import { createProgress } from "../progress.js";
import { packageVersion } from "../version.js";

/** A word as a shell reads it. */
const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

/** `soflow compare`: the runs with their live lines, then the table and where the page is. */
export const run = async ({ config, signal }: CompareOptions, out: (text: string) => void): Promise<void> => {
  const progress = createProgress(process.stderr);
  const command = ["soflow", ...process.argv.slice(2).map(quoted)].join(" ");
  const listeners = { onProgress: progress.update, onNote: progress.note };
  const comparison = await runComparison({ config, signal, version: packageVersion(), command, ...listeners }).finally(
    progress.done,
  );
  if (comparison) out(`${terminalReport(comparison)}\n${comparisonPaths(config.out).html}\n`);
};
