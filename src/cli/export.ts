import { Command, Option } from "commander";
import { LIMITS } from "../checks/limits.js";
import type { ExportOptions as LibraryOptions } from "../train/export/export.js";
import { UsageError } from "./errors.js";
import { wholeNumber } from "./options.js";

/** What the library's `exportModel` takes, but for what the command adds itself. */
export type ExportOptions = Omit<LibraryOptions, "runtime" | "onNote">;

type Flags = Omit<ExportOptions, "source" | "out"> & { readonly out?: string };

const EXAMPLES = `
Examples:
  soflow export runs/quickstart --out digits
  soflow export runs/quickstart --out digits-8 --precision int8 --images uint8
  soflow export imagenet-b2 --vae sd-vae-ft-mse --out b2 --precision float16
  python digits/example.py                        with pip's onnxruntime
  node digits/example.mjs                         with npm's onnxruntime-node

The folder holds ONNX models for any batch, their weights, a manifest, a model card and two examples.
float32 and float16 are standard ONNX; int8 and int4 use ONNX Runtime's MatMulNBits for large products.
`;

/** `soflow export`; `run` writes the folder. */
export const exportCommand = (run: (options: ExportOptions) => Promise<void>): Command =>
  new Command("export")
    .description("Write a model as ONNX files that run without soflow.")
    .argument("<model>", "a run folder, a model folder or a checkpoint")
    .option("--out <dir>", "the folder to make (required)")
    .addOption(
      new Option("--precision <kind>", "what weights are stored in")
        .choices(["float32", "float16", "int8", "int4"])
        .default("float32"),
    )
    .addOption(
      new Option("--images <kind>", "float32 in [−1, 1], or uint8 with channels last")
        .choices(["float32", "uint8"])
        .default("float32"),
    )
    .option("--vae <dir>", "folder of the autoencoder that becomes part of the model, for models that draw latents")
    .option("--threads <n>", "threads of the runtime (default: all cores)", wholeNumber(1, LIMITS.threads))
    .addHelpText("after", EXAMPLES)
    .action(async (source: string, { out, ...flags }: Flags) => {
      if (out === undefined) throw new UsageError("export: --out is missing; give the folder to make");
      await run({ source, out, ...flags });
    });
