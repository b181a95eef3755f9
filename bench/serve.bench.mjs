// What do batches of concurrent requests bring, and how long does who asks wait?
import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { key } from "../dist/random/random.js";
import { quantile } from "../dist/runtime/index.js";
import { openNetwork, saveModel } from "../dist/train/model.js";
import { machine, table } from "./lib/rounds.mjs";

const NETWORK = {
  imageSize: 16,
  patch: 4,
  channels: 1,
  width: 128,
  depth: 4,
  heads: 4,
  classes: 10,
  times: 2,
  nullLabel: true,
};
const METHOD = { kind: "soflow", path: "linear", parameterisation: "euler" };
const MAIN = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const CLIENTS = fileURLToPath(new URL("lib/clients.mjs", import.meta.url));

const writeModel = async (folder) => {
  const weights = openNetwork(NETWORK).parameters.map(({ name, tensor: { shape } }) => {
    const size = shape.reduce((n, d) => n * d, 1);
    return {
      name,
      shape,
      read: async () =>
        key(0)
          .fold(name)
          .normal(size)
          .map((z) => 0.02 * z),
    };
  });
  const classes = Array.from({ length: NETWORK.classes }, (_, i) => String(i));
  await saveModel(folder, { format: "soflow", version: 1, network: NETWORK, method: METHOD, classes }, weights, 0);
};

/** A server in a process of its own, and its address. */
const startServer = async (model, threads, options) => {
  const child = spawn(process.execPath, [MAIN, "serve", model, "--port", "0", "--threads", threads, ...options], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const url = await new Promise((resolve, reject) => {
    child.stdout.on("data", (text) => {
      const found = /http:\S+/.exec(text)?.[0];
      if (found) resolve(found);
    });
    child.on("exit", (code) => reject(new Error(`soflow serve ended with ${code}`)));
  });
  return { child, url };
};

const memoryOf = async (url) =>
  Number(/^process_resident_memory_bytes (\d+)$/m.exec(await (await fetch(`${url}/metrics`)).text())[1]);

/** One way to serve, asked by `clients` from another process. */
const measure = async (model, { threads, seconds }, { name, clients, options }) => {
  const { child, url } = await startServer(model, threads, options);
  const ask = async (time) => {
    const { stdout } = await promisify(execFile)(process.execPath, [CLIENTS, url, clients, time], {
      maxBuffer: 2 ** 28,
    });
    return JSON.parse(stdout);
  };
  await ask("2"); // warms up
  const before = await memoryOf(url);
  const { milliseconds, failed } = await ask(seconds);
  const after = await memoryOf(url);
  const ended = new Promise((resolve) => child.on("exit", resolve));
  child.kill("SIGTERM");
  await ended;
  const at = (p) => quantile(milliseconds, p).toFixed(1);
  const gigabytes = (bytes) => (bytes / 1e9).toFixed(2);
  return [
    name,
    Math.round(milliseconds.length / Number(seconds)),
    at(0.5),
    at(0.99),
    failed,
    `${gigabytes(before)} → ${gigabytes(after)}`,
  ];
};

const WAYS = [
  { name: "1 client", clients: "1", options: [] },
  { name: "64 clients, one image at a time", clients: "64", options: ["--max-batch", "1"] },
  { name: "64 clients, batches of up to 64", clients: "64", options: [] },
];

/** `serve [seconds] [threads]`: 60 seconds of each way by default, on 2 threads. */
export const run = async ([seconds = "60", threads = "2"]) => {
  const folder = await mkdtemp(join(tmpdir(), "soflow-bench-"));
  try {
    const model = join(folder, "glyphs");
    await writeModel(model);
    const rows = [];
    for (const way of WAYS) rows.push(await measure(model, { threads, seconds }, way));
    console.log(`${machine(threads)}; 16×16 glyphs, width 128, depth 4; ${seconds} s each\n`);
    table(["one image a request", "images/s", "p50 ms", "p99 ms", "failed", "GB before → after"], rows);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};
