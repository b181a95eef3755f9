import { Command } from "commander";
import { FailedCheck } from "./errors.js";
import { wordList } from "./options.js";

export type VerifyOptions = {
  /** Folder of reference tensors (.safetensors). */
  readonly folder: string;
  /** Names of the checks to run; absent for all. */
  readonly only?: readonly string[];
  /** Whether a file that this version does not compute counts as failed. */
  readonly requireAll: boolean;
};

type Flags = { readonly only?: readonly string[]; readonly requireAll?: boolean };

const EXAMPLES = `
Examples:
  soflow verify ../shared/fixtures
  soflow verify fixtures --only dit_tiny_forward,soflow_losses --require-all

Exits with 0 when every check passes, else with 1.
`;

/** `soflow verify`; `run` prints one line per check and says whether all passed. */
export const verifyCommand = (run: (options: VerifyOptions) => Promise<boolean>): Command =>
  new Command("verify")
    .description("Compare networks and losses with reference tensors from the official code.")
    .argument("<dir>", "folder of reference tensors (.safetensors)")
    .option("--only <names>", "run these checks alone, such as a,b (default: all)", wordList)
    .option("--require-all", "count a file that this version cannot check as failed")
    .addHelpText("after", EXAMPLES)
    .action(async (folder: string, { only, requireAll }: Flags) => {
      const passed = await run({ folder, ...(only && { only }), requireAll: requireAll ?? false });
      if (!passed) throw new FailedCheck(`verify ${folder}: not every check passed`);
    });
