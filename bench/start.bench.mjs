// How long from the command to the first image, in a new process each time?
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { key } from "../dist/random/random.js";
import { openNetwork, saveModel } from "../dist/train/model.js";
import { interleave, machine, spread, table } from "./lib/rounds.mjs";
import { describe } from "./peers/training.mjs";

const COMMAND = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const MODELS = {
  "quickstart's model (1.3 M parameters)": {
    imageSize: 16,
    patch: 4,
    channels: 1,
    width: 128,
    depth: 4,
    heads: 4,
    classes: 10,
  },
  "DiT-B/2 (131 M parameters)": {
    imageSize: 32,
    patch: 2,
    channels: 4,
    width: 768,
    depth: 12,
    heads: 12,
    classes: 1000,
  },
};

const writeModel = (folder, network) => {
  const description = describe({ network });
  const weights = openNetwork(description.network).parameters.map(({ name, tensor: { shape } }) => ({
    name,
    shape,
    read: async () =>
      key(0)
        .fold(name)
        .normal(shape.reduce((n, d) => n * d, 1))
        .map((z) => 0.02 * z),
  }));
  return saveModel(folder, description, weights, 0);
};

const timed = (args) =>
  new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(process.execPath, args, { stdio: "ignore" });
    child.on("error", reject);
    child.on("exit", (code) =>
      code === 0 ? resolve({ ms: performance.now() - start }) : reject(new Error(`${args} failed`)),
    );
  });

/** `start [rounds]`: 11 rounds by default. */
export const run = async ([rounds = "11"]) => {
  const root = mkdtempSync(join(tmpdir(), "soflow-start-"));
  const jobs = [{ name: "node itself", round: () => timed(["-e", "0"]) }];
  jobs.push({ name: "soflow --version", round: () => timed([COMMAND, "--version"]) });
  for (const [i, [name, network]] of Object.entries(MODELS).entries()) {
    const folder = join(root, `${i}`);
    const out = join(root, network.channels === 4 ? "one.npz" : "one.png"); // a picture has one channel or three
    await writeModel(folder, network);
    const args = [COMMAND, "sample", folder, "--count", "1", "--out", out];
    jobs.push({ name: `sample 1 image: ${name}`, round: () => timed(args) });
  }
  const measured = await interleave(jobs, Number(rounds));
  console.log(machine("all"));
  table(
    ["from command to exit", "ms (quartiles)"],
    measured.map(({ name, ms }) => [name, spread(ms, 0)]),
  );
  rmSync(root, { recursive: true });
};
