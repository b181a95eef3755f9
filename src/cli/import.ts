import { Command } from "commander";
import type { ImportOptions as LibraryOptions } from "../train/import.js";
import { UsageError } from "./errors.js";
import { repeated } from "./options.js";

/** What the library's `importCheckpoint` takes, but for what the command adds itself. */
export type ImportOptions = Omit<LibraryOptions, "onProgress" | "onNote">;

type Flags = { readonly config?: string; readonly out?: string; readonly set: readonly string[] };

const EXAMPLES = `
Examples:
  soflow import 400000.pt --config config.yaml --out runs/official
  soflow train --config runs/official/config.yaml            goes on with its moments and average
  soflow import model.safetensors --config my.yaml --out my-model
  soflow sample my-model --count 64

The configuration is ours or the official code's. Files are read without running what they contain.
`;

const required = (value: string | undefined, flag: string, what: string): string => {
  if (value === undefined) throw new UsageError(`import: ${flag} is missing; give ${what}`);
  return value;
};

/** `soflow import`; `run` reads the checkpoint and writes the folder. */
export const importCommand = (run: (options: ImportOptions) => Promise<void>): Command =>
  new Command("import")
    .description("Make a run or a model folder of a PyTorch checkpoint.")
    .argument("<checkpoint>", "a file of torch.save (.pt, .pth) or a .safetensors file")
    .option("--config <file>", "its configuration: a YAML file of ours or of the official code, or a preset (required)")
    .option("--set <field=value>", "override a field of the configuration; may be repeated", repeated, [])
    .option("--out <dir>", "the folder to make (required)")
    .addHelpText("after", EXAMPLES)
    .action(async (checkpoint: string, { config, out, set }: Flags) =>
      run({
        checkpoint,
        config: required(config, "--config", "the checkpoint's YAML file, or a preset"),
        out: required(out, "--out", "the folder to make"),
        overrides: set,
      }),
    );
