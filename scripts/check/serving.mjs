// What the checks of the server share: a tiny model with random weights, served by `soflow serve` in a process of its own.
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { key } from "../../dist/random/random.js";
import { openNetwork, saveModel } from "../../dist/train/model.js";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const NETWORK = {
  imageSize: 16,
  patch: 4,
  channels: 1,
  width: 64,
  depth: 2,
  heads: 4,
  classes: 3,
  times: 2,
  nullLabel: false,
};
const METHOD = { kind: "soflow", path: "linear", parameterisation: "euler" };

const sizeOf = (shape) => shape.reduce((n, d) => n * d, 1);

/** Writes a model; `changes` to its network. */
export const writeModel = async (path, changes = {}) => {
  const network = { ...NETWORK, ...changes };
  const classes = Array.from({ length: network.classes }, (_, i) => `class ${i}`);
  const weights = openNetwork(network).parameters.map(({ name, tensor: { shape } }) => ({
    name,
    shape,
    read: async () =>
      key(1)
        .fold(name)
        .normal(sizeOf(shape))
        .map((z) => 0.1 * z),
  }));
  await saveModel(path, { format: "soflow", version: 1, network, method: METHOD, classes }, weights, 1);
  return path;
};

/** Writes what the server shows of a training run. */
export const writeRun = async (runs) => {
  await mkdir(join(runs, "first", "samples"), { recursive: true });
  const lines = Array.from({ length: 50 }, (_, i) => JSON.stringify({ step: i + 1, loss: 1 / (i + 1) }));
  await writeFile(join(runs, "first", "metrics.jsonl"), `${lines.join("\n")}\n`);
  const picture = sharp({ create: { width: 8, height: 8, channels: 3, background: "#fff" } });
  await picture.png().toFile(join(runs, "first", "samples", "step-00000001.png"));
};

/** Serves a model with these words of the command line beside; `stop(signal)` resolves to how it ended and in what time. */
export const serve = async (model, ...words) => {
  const child = spawn(process.execPath, [MAIN, "serve", model, "--port", "0", ...words], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let err = "";
  child.stderr.on("data", (text) => {
    err += text;
  });
  const ended = new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal })));
  const url = await new Promise((resolve, reject) => {
    child.stdout.on("data", (text) => resolve(/http:\S+/.exec(String(text))[0]));
    void ended.then(() => reject(new Error(`the server did not start: ${err}`)));
  });
  const stop = async (signal = "SIGTERM") => {
    const began = performance.now();
    child.kill(signal);
    return { ...(await ended), seconds: (performance.now() - began) / 1000 };
  };
  return { url, pid: child.pid, stop, log: () => err };
};

/** Runs `check` with a new folder, which is removed at the end. */
export const inFolder = async (check) => {
  const folder = await mkdtemp(join(tmpdir(), "soflow-check-"));
  try {
    return await check(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};
