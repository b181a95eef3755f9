import { Command } from "commander";
import { interruptible } from "./interrupt.js";

export type QuickstartOptions = {
  /** Run folder. */
  readonly out: string;
  /** A smaller network and fewer steps: about a minute on two cores. */
  readonly quick: boolean;
  /** Aborted at the first Ctrl-C or SIGTERM: finish the step, save, return. */
  readonly signal: AbortSignal;
};

type Flags = { readonly out?: string; readonly quick?: boolean };

const EXAMPLES = `
Examples:
  soflow quickstart            minutes on a laptop's CPU; nothing to download
  soflow quickstart --quick    about a minute on two cores: a smaller network, most digits recognizable
`;

/** `soflow quickstart`; `run` trains a small model and draws from it. */
export const quickstartCommand = (run: (options: QuickstartOptions) => Promise<void>): Command =>
  new Command("quickstart")
    .description("Train a small one-step model on drawn glyphs and draw from it.")
    .option("--out <dir>", "run folder (default: runs/quickstart, or runs/quickstart-quick)")
    .option("--quick", "a smaller network and fewer steps: digits are less clear")
    .addHelpText("after", EXAMPLES)
    .action(({ quick = false, out = quick ? "runs/quickstart-quick" : "runs/quickstart" }: Flags) =>
      interruptible((signal) => run({ out, quick, signal })),
    );
