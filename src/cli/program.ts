import { Command } from "commander";
import { EXIT, outcomeOf, UsageError } from "./errors.js";
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

soflow VERB --help, or soflow help VERB, shows a verb's options and examples.
Exit codes: 0 done, 1 a check failed, 2 bad input, 70 internal error, 130 stopped by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP.
`;

/** A usage error of commander's as ours: one line, which ends with where to look. */
const usageLine = (text: string, path: string): string =>
  `${text
    .replace(/^error: /, "soflow: ")
    .replace(/\n\(Did/, " (did")
    .trimEnd()
    .replace(/\.$/, "")}; ${seeHelp(path)}\n`;

const seeHelp = (path: string): string => `see ${path} --help`;

/** Gives a command and those below it what all have: -h, -V, where they write, and how their usage errors end. */
const equip = (command: Command, path: string, { out, err }: Output): Command => {
  command
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .version(packageVersion(), "-V, --version", "print the version")
    .exitOverride()
    .configureOutput({
      writeOut: out,
      writeErr: err,
      outputError: (text, write) => write(usageLine(text, path)),
    });
  for (const below of command.commands) {
    equip(below, `${path} ${below.name()}`, { out, err });
    below.options.find(({ long }) => long === "--version")?.hideHelp();
  }
  return command;
};

const root = (verbs: readonly Command[], output: Output): Command => {
  const program = new Command("soflow")
    .description(
      "One-step generative models: train SoFlow and its relatives on your images, draw and compare, on ONNX Runtime.",
    )
    .addHelpText("after", EXAMPLES);
  for (const verb of verbs) program.addCommand(verb);
  return equip(program, "soflow", output);
};

/** The command that words name, and how many of them do: `features train data` names `features train`. */
const commandOf = (program: Command, words: readonly string[]): { command: Command; depth: number } => {
  let command = program;
  for (const [depth, word] of words.entries()) {
    const below = command.commands.find((one) => one.name() === word);
    if (!below) return { command, depth };
    command = below;
  }
  return { command, depth: words.length };
};

/** `soflow help train` as `soflow train --help`. */
const helpFirst = ([first, ...others]: readonly string[]): readonly string[] =>
  first === "help" ? [...others, "--help"] : first === undefined ? [] : [first, ...others];

/** `soflow train help` as `soflow train --help`; of a command that does not exist nothing but its name, to be refused. */
const understood = (program: Command, words: readonly string[]): readonly string[] => {
  const { command, depth } = commandOf(program, words);
  const [next, ...others] = words.slice(depth);
  if (next === "help" && others.length === 0) return [...words.slice(0, depth), "--help"];
  const unknown = command.commands.length > 0 && next !== undefined && !next.startsWith("-");
  return unknown ? words.slice(0, depth + 1) : words;
};

const pathOf = (program: Command, words: readonly string[]): string =>
  ["soflow", ...words.slice(0, commandOf(program, words).depth)].join(" ");

/** Runs `soflow ...words` with these verbs and returns the exit code. Nothing but the verb that is named gets loaded. */
export const runProgram = async (given: readonly string[], verbs: readonly Verb[], output: Output): Promise<number> => {
  const first = helpFirst(given);
  const named = verbs.filter(({ name }) => name === first[0]);
  const commands: Command[] = [];
  for (const { load } of named.length > 0 ? named : verbs) commands.push(await load());
  const program = root(commands, output);
  const words = understood(program, first);
  try {
    if (words.length === 0) {
      program.outputHelp();
      return EXIT.badInput;
    }
    await program.parseAsync([...words], { from: "user" });
    return EXIT.ok;
  } catch (thrown) {
    const hint = `; ${seeHelp(pathOf(program, words))}`;
    const { code, text } = outcomeOf(thrown instanceof UsageError ? new UsageError(thrown.message + hint) : thrown);
    output.err(text);
    return code;
  }
};
