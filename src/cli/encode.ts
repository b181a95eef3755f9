import { Command, InvalidArgumentError } from "commander";
import { LIMITS } from "../checks/limits.js";
import type { EncodeImagesOptions } from "../train/encode/index.js";
import { UsageError } from "./errors.js";
import { interruptible } from "./interrupt.js";
import { wholeNumber } from "./options.js";

/** Images to encode, or parts to join. */
export type EncodeJob =
  | ({ readonly kind: "encode"; readonly signal: AbortSignal } & Omit<EncodeImagesOptions, "onProgress" | "onNote">)
  | {
      readonly kind: "merge";
      readonly signal: AbortSignal;
      readonly out: string;
      readonly parts: readonly string[];
    };

type Flags = {
  readonly vae?: string;
  readonly out?: string;
  readonly size: number;
  readonly flip?: boolean;
  readonly part?: { readonly i: number; readonly n: number };
  readonly merge?: boolean;
  readonly threads?: number;
};

const EXAMPLES = `
Examples:
  soflow encode photos --vae sd-vae-ft-mse --out latents.h5 --flip
  soflow encode 'shards/train-*.tar' --vae sd-vae-ft-mse --out part2.h5 --part 2/4     one of four machines
  soflow encode --merge part1.h5 part2.h5 part3.h5 part4.h5 --out latents.h5
  soflow train --config my.yaml --set 'data={kind: latents, path: latents.h5}'

Stopped or killed, the same command goes on where it was; the file is the same to the byte.
`;

const part = (text: string): { i: number; n: number } => {
  const [, i, n] = /^(\d+)\/(\d+)$/.exec(text)?.map(Number) ?? [];
  if (!i || !n || i > n) throw new InvalidArgumentError("It must be i/n with i from 1 to n, such as 2/4.");
  return { i, n };
};

const required = (value: string | undefined, flag: string, what: string): string => {
  if (value === undefined) throw new UsageError(`encode: ${flag} is missing; give ${what}`);
  return value;
};

const jobOf = (
  paths: readonly string[],
  { merge, part: share, flip = false, ...flags }: Flags,
  signal: AbortSignal,
): EncodeJob => {
  const out = required(flags.out, "--out", "the .h5 file to make");
  if (merge) return { kind: "merge", signal, out, parts: paths };
  if (paths.length > 1)
    throw new UsageError(`encode: ${paths.length} paths are given; give one, or --merge to join parts`);
  const { size, threads } = flags;
  const vae = required(flags.vae, "--vae", "the autoencoder's folder");
  const options = {
    images: paths[0]!,
    vae,
    out,
    size,
    flip,
    ...(share && { part: share }),
    ...(threads && { threads }),
  };
  return { kind: "encode", signal, ...options };
};

/** `soflow encode`; `run` encodes or joins. */
export const encodeCommand = (run: (job: EncodeJob) => Promise<void>): Command =>
  new Command("encode")
    .description("Encode images into a file of latents (HDF5), to train on.")
    .argument(
      "<images...>",
      "a folder of images, a pattern of .tar files, or CIFAR-10's folder; with --merge, the parts",
    )
    .option("--vae <dir>", "the autoencoder's folder: config.json and safetensors, as diffusers keeps it (required)")
    .option("--out <file>", "the .h5 file to make (required)")
    .option(
      "--size <n>",
      "side of the images in pixels; larger ones are cropped square and scaled down",
      wholeNumber(8),
      256,
    )
    .option("--flip", "encode every image mirrored too")
    .option("--part <i/n>", "encode the i-th of n parts", part)
    .option("--merge", "join parts, in their order, to the file that one run would have made")
    .option("--threads <n>", "threads of the runtime (default: all cores)", wholeNumber(1, LIMITS.threads))
    .addHelpText("after", EXAMPLES)
    .action((paths: readonly string[], flags: Flags) =>
      interruptible(
        (signal) => run(jobOf(paths, flags, signal)),
        flags.merge
          ? { unit: "this part of the file", after: "nothing was written" }
          : { unit: "this image", after: "the same command resumes after the images that are encoded" },
      ),
    );
