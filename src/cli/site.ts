import { Command, Option } from "commander";
import { LIMITS } from "../checks/limits.js";
import type { SiteOptions as LibraryOptions } from "../serve/site.js";
import { UsageError } from "./errors.js";
import { wholeNumber } from "./options.js";

/** What the library's `writeSite` takes. */
export type SiteOptions = Omit<LibraryOptions, "app">;

type Flags = Omit<SiteOptions, "models" | "out"> & { readonly out?: string };

const EXAMPLES = `
Examples:
  soflow site runs/quickstart --out site
  python3 -m http.server --directory site         then open http://127.0.0.1:8000
  soflow site digits=runs/quickstart runs/faces --out site --title "Digits and faces"
  soflow site runs/quickstart --out site --precision float16
                                                  half the bytes to load

Any web server can host the folder, also below a path: it needs neither soflow nor Node. The page draws by itself.
`;

/** `soflow site`; `run` writes the folder. */
export const siteCommand = (run: (options: SiteOptions) => Promise<void>): Command =>
  new Command("site")
    .description("Write a folder for any web server: the app with models that draw in the page.")
    .argument("<models...>", "run folders, model folders or checkpoints, each as PATH or NAME=PATH")
    .option("--out <dir>", "the folder to make (required)")
    .option("--title <text>", "title of the page", "soflow")
    .addOption(
      new Option("--precision <kind>", "what weights are stored in")
        .choices(["float32", "float16", "int8", "int4"])
        .default("float32"),
    )
    .option("--vae <dir>", "folder of the autoencoder that becomes part of the models, for models that draw latents")
    .option("--threads <n>", "threads of the runtime (default: all cores)", wholeNumber(1, LIMITS.threads))
    .addHelpText("after", EXAMPLES)
    .action(async (models: string[], { out, ...flags }: Flags) => {
      if (out === undefined) throw new UsageError("site: --out is missing; give the folder to make");
      await run({ models, out, ...flags });
    });
