import { Command } from "commander";
import { LIMITS } from "../checks/limits.js";
import type { CompareConfig } from "../compare/schema.js";
import { oneOf } from "../errors.js";
import { UsageError } from "./errors.js";
import { interruptible } from "./interrupt.js";
import { repeated, wholeNumber } from "./options.js";

export type CompareOptions = {
  /** Resolved, with --set, --out and --threads applied. */
  readonly config: CompareConfig;
  /** Aborted at the first Ctrl-C or SIGTERM: finish the step, save, return. */
  readonly signal: AbortSignal;
};

type Flags = { config?: string; set: readonly string[]; out?: string; threads?: number };

const EXAMPLES = `
Examples:
  soflow compare --config compare-checkerboard
  soflow compare --config compare-glyphs --set 'seeds=[0, 1, 2]' --threads 2
  soflow compare --config mine.yaml --set 'methods.trig={objective: {kind: soflow, path: trig}}'

Every method trains on the same batches from the same initial weights. The same command goes on where it was stopped,
and after methods or seeds were added it trains those alone. Results: results.html, results.md and results.json.
`;

const readOptions = async (flags: Flags, signal: AbortSignal): Promise<CompareOptions> => {
  const { presetNames } = await import("../train/config/index.js");
  const { resolveComparison } = await import("../compare/schema.js");
  if (flags.config === undefined)
    throw new UsageError(
      `compare: --config is missing; give a YAML file, or a preset: ${oneOf(presetNames("compare"))}`,
    );
  const config = resolveComparison(flags.config, flags.set);
  return { config: { ...config, out: flags.out ?? config.out, threads: flags.threads ?? config.threads }, signal };
};

/** `soflow compare`; `run` does the work. */
export const compareCommand = (run: (options: CompareOptions) => Promise<void>): Command =>
  new Command("compare")
    .description("Train several methods alike and compare them: quality at 1, 2, 4 … evaluations, speed, memory.")
    .option(
      "--config <file>",
      "YAML file, or a preset: compare-checkerboard, compare-glyphs, compare-cifar10 (required)",
    )
    .option("--set <field=value>", "override a field of the configuration; may be repeated", repeated, [])
    .option("--out <dir>", "folder of the comparison (default: the configuration's out)")
    .option("--threads <n>", "threads of the runtime (default: all cores)", wholeNumber(1, LIMITS.threads))
    .addHelpText("after", EXAMPLES)
    .action((flags: Flags) => interruptible(async (signal) => run(await readOptions(flags, signal))));
