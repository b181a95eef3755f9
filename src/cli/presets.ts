import { Command } from "commander";

const EXAMPLES = `
Examples:
  soflow presets                                  the published results that there are settings for
  soflow presets soflow-cifar10                   one of them as a configuration file
  soflow train --preset soflow-cifar10 --set data.path=cifar-10-batches-bin
  soflow presets soflow-imagenet-b2 > mine.yaml   to change it
`;

/** `soflow presets`; `run` gets the name that was asked for, if any. */
export const presetsCommand = (run: (name: string | undefined) => Promise<void>): Command =>
  new Command("presets")
    .description("List the settings of published results, or print one as a configuration file.")
    .argument("[name]", "a preset to print")
    .addHelpText("after", EXAMPLES)
    .action((name: string | undefined) => run(name));
