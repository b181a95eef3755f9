import { Command, InvalidArgumentError, Option } from "commander";
import type { ServeOptions as LibraryOptions } from "../serve/server.js";
import { UsageError } from "./errors.js";
import { repeated, wholeNumber } from "./options.js";

/** What the library's `startServer` takes, but for what the command adds itself. */
export type ServeOptions = Omit<LibraryOptions, "report">;

/** Options that are given in seconds, in MiB and in millions. */
const SECONDS = ["timeout", "requestTimeout", "grace"] as const;
const MEBIBYTES = ["maxBody", "maxBodies", "maxAnswers"] as const;

type Flags = Omit<ServeOptions, "models" | "origins" | "hosts"> & {
  readonly allowOrigin: readonly string[];
  readonly allowHost: readonly string[];
};

const scaled = <K extends keyof Flags>(flags: Flags, names: readonly K[], factor: number): Record<K, number> =>
  Object.fromEntries(names.map((name) => [name, Number(flags[name]) * factor])) as Record<K, number>;

const optionsOf = (models: readonly string[], { allowOrigin, allowHost, ...flags }: Flags): ServeOptions => ({
  ...flags,
  ...scaled(flags as Flags, SECONDS, 1000),
  ...scaled(flags as Flags, MEBIBYTES, 2 ** 20),
  ...scaled(flags as Flags, ["maxPixels"], 1_000_000),
  models,
  origins: allowOrigin,
  hosts: allowHost,
});

const EXAMPLES = `
Examples:
  soflow serve runs/quickstart                            the app and the API on http://127.0.0.1:8080
  soflow serve digits=runs/quickstart runs/faces --runs runs
                                                          two models, and the curves of all runs
  soflow serve imagenet-b2 --vae sd-vae-ft-mse --max-batch 4
  SOFLOW_TOKEN=$(openssl rand -hex 16) soflow serve runs/quickstart --host 0.0.0.0
                                                          for other machines, with a token

  curl -d '{"seed":1,"labels":[3]}' -H 'Content-Type: application/json' localhost:8080/v1/images > three.png

The API is described in /openapi.json. Ctrl-C or SIGTERM answers what was accepted, then ends.
`;

const port = (text: string): number => {
  const value = wholeNumber(0)(text);
  if (value > 65_535) throw new InvalidArgumentError("It must be a port: 0 to 65535, 0 for any free one.");
  return value;
};

/** No `InvalidArgumentError`: its message would show the token. */
const token = (text: string): string => {
  if (!/^[\x21-\x7e]{8,}$/.test(text))
    throw new UsageError("serve: the token is refused; it must be 8 or more visible characters without spaces");
  return text;
};

const host = (text: string, before: readonly string[]): readonly string[] => {
  if (!/^[\w-]+(\.[\w-]+)*$/.test(text))
    throw new InvalidArgumentError("It must be a host's name such as models.example.org, without a port.");
  return repeated(text, before);
};

const origin = (text: string, before: readonly string[]): readonly string[] => {
  if (text !== "*" && !/^https?:\/\/[^/\s]+$/.test(text))
    throw new InvalidArgumentError("It must be an origin such as https://example.org, without a path.");
  return repeated(text, before);
};

/** `soflow serve`; `run` serves until it is stopped. */
export const serveCommand = (run: (options: ServeOptions) => Promise<void>): Command =>
  new Command("serve")
    .description("Serve models over HTTP, with a web app to draw, edit and watch training.")
    .argument("<models...>", "run folders, model folders or checkpoints, each as PATH or NAME=PATH")
    .option("--port <n>", "port; 0 for any free one", port, 8080)
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .addOption(new Option("--token <text>", "ask for this bearer token").env("SOFLOW_TOKEN").argParser(token))
    .option("--open", "let everybody in who reaches an address beyond this machine, without a token")
    .option("--runs <dir>", "folder whose training runs the app shows")
    .option("--vae <dir>", "folder of the autoencoder, for models that draw latents")
    .option("--max-batch <n>", "most images in a network evaluation", wholeNumber(1), 64)
    .option("--max-wait <ms>", "milliseconds that a lone request waits for company", wholeNumber(0), 1)
    .option("--queue <n>", "images that may wait; beyond, the answer is 429", wholeNumber(1), 1024)
    .option("--max-count <n>", "images in one request", wholeNumber(1), 256)
    .option("--max-body <MiB>", "size of a request", wholeNumber(1), 16)
    .option("--max-bodies <MiB>", "size of all requests that are held at once, else 503", wholeNumber(1), 64)
    .option("--max-answers <MiB>", "size of all images that are made or sent at once, else 503", wholeNumber(1), 256)
    .option("--max-pixels <millions>", "pixels of a picture to edit, in millions", wholeNumber(1), 16)
    .option("--max-connections <n>", "clients that are connected; beyond, they are turned away", wholeNumber(1), 512)
    .option("--timeout <s>", "seconds within which images must be ready, else 504", wholeNumber(1), 60)
    .option(
      "--request-timeout <s>",
      "seconds within which a client must have sent its request, else 408",
      wholeNumber(1),
      20,
    )
    .option("--grace <s>", "seconds to answer what was accepted after a stop", wholeNumber(1), 30)
    .option("--allow-origin <origin>", "let pages of this origin use the API (repeatable)", origin, [])
    .option("--allow-host <name>", "without a token: a name that this server is asked for by (repeatable)", host, [])
    .option("--threads <n>", "threads of the runtime (default: all cores)", wholeNumber(1))
    .addOption(new Option("--weights <which>", "averaged or of the last step").choices(["ema", "model"]).default("ema"))
    .addOption(
      new Option("--precision <kind>", "int8: faster on large models, about 1 % off")
        .choices(["float32", "int8"])
        .default("float32"),
    )
    .addHelpText("after", EXAMPLES)
    .action((models: string[], flags: Flags) => run(optionsOf(models, flags)));
