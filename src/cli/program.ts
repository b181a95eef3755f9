import { Command } from "commander";
import { EXIT, outcomeOf } from "./errors.js";
import { packageVersion } from "./version.js";

/** A verb of the command line, loaded only when it is used or listed. */
export type Verb = { readonly name: string; readonly load: () => Promise<Command> };

/** Where the program writes. */
export type Output = { readonly out: (text: string) => void; readonly err: (text: string) => void };

const EXAMPLES = `
Examples:
  soflow quickstart                               train a small model and draw from it
  soflow train --config quickstart --set seed=1   train from a preset or a YAML file
  soflow sample runs/quickstart --out sheet.png   draw images, one network evaluation each
  soflow import 400000.pt --config official.yaml --out runs/official
                                                  go on from a PyTorch checkpoint
  soflow download someone/digits                  a model from the hub that SOFLOW_HUB names
  soflow encode photos --vae sd-vae-ft-mse --out latents.h5
                                                  latents of your images, to train on
  soflow export runs/quickstart --out digits      ONNX files that run without soflow
  soflow serve runs/quickstart                    the model over HTTP, with a web app
  soflow site runs/quickstart --out site          the app as files for any web server; it draws in the page
  soflow compare --config compare-checkerboard    train several methods alike and compare them
  soflow presets                                  settings of published results
  soflow doctor                                   what this machine runs on, and how fast

soflow VERB --help shows a verb's options and examples.
Exit codes: 0 done, 1 a check failed, 2 bad input, 70 internal error, 130 stopped by Ctrl-C.
`;

const root = (output: Output): Command =>
  new Command("soflow")
    .description(
      "One-step generative models: train SoFlow and its relatives on your images, draw and compare, on ONNX Runtime.",
    )
    .version(packageVersion(), "--version", "print the version")
    .helpOption("--help", "print this help")
    .helpCommand(false)
    .addHelpText("after", EXAMPLES)
    .exitOverride()
    .configureOutput({
      writeOut: output.out,
      writeErr: output.err,
      outputError: (text, write) => write(text.replace(/^error: /, "soflow: ").replace(/\n\(Did/, " (did")),
    });

/** Runs `soflow ...words` with these verbs and returns the exit code. Nothing but the verb that is named gets loaded. */
export const runProgram = async (words: readonly string[], verbs: readonly Verb[], output: Output): Promise<number> => {
  const program = root(output);
  const named = verbs.filter(({ name }) => name === words[0]);
  for (const { load } of named.length > 0 ? named : verbs)
    program.addCommand((await load()).copyInheritedSettings(program));
  try {
    if (words.length === 0) {
      program.outputHelp();
      return EXIT.badInput;
    }
    await program.parseAsync([...words], { from: "user" });
    return EXIT.ok;
  } catch (thrown) {
    const { code, text } = outcomeOf(thrown);
    output.err(text);
    return code;
  }
};
