// Is one-step sampling as fast as PyTorch's?
import { openRuntime } from "../dist/runtime/index.js";
import { openNaive, openSoflow, openTorch } from "./lib/peers.mjs";
import { interleave, machine, spread, table, timesAsFast } from "./lib/rounds.mjs";
import { noiseOf, openSampling } from "./peers/sampling.mjs";

const B2 = { imageSize: 32, patch: 2, channels: 4, width: 768, depth: 12, heads: 12, classes: 1000 };
const GLYPHS = { imageSize: 16, patch: 4, channels: 1, width: 128, depth: 4, heads: 4, classes: 10 };
const JOBS = {
  "DiT-B/2, batch 1": { network: B2, batch: 1 },
  "DiT-B/2, batch 16": { network: B2, batch: 16 },
  "16×16 glyphs, width 128, depth 4, 20 batches of 64": { network: GLYPHS, batch: 64, batches: 20 },
  "16×16 glyphs, 100 batches of 1": { network: GLYPHS, batch: 1, batches: 100 },
};

/** ‖int8 − float32‖ / ‖F‖ of the network's output F, in a process of its own. */
const costOfInt8 = async (job) => {
  const runtime = await openRuntime({ threads: job.threads });
  const exact = await (await openSampling(runtime, job))();
  const rounded = await (await openSampling(runtime, { ...job, precision: "int8" }))();
  const noise = noiseOf(job).flatMap((values) => [...values]);
  await runtime.close();
  const norm = (f) => Math.sqrt(exact.reduce((sum, value, i) => sum + f(value, i) ** 2, 0));
  return norm((value, i) => value - rounded[i]) / norm((value, i) => value - noise[i]);
};

const measure = async (name, job, rounds) => {
  const int8 = { ...job, precision: "int8" };
  const opened = [
    await openSoflow(job),
    await openSoflow(int8, "soflow, int8"),
    await openNaive(job),
    await openTorch(job),
    await openTorch(job, true),
  ];
  const peers = opened.filter(Boolean);
  const [own, ...others] = await interleave(peers, rounds);
  for (const { close } of peers) close();
  const eager = [own, ...others].find(({ name }) => name === "PyTorch eager") ?? own;
  console.log(`\n${name}; ${[own, ...others].map(({ name, version }) => `${name} ${version}`).join(", ")}\n`);
  table(
    ["one step from noise to images", "ms (quartiles)", "times as fast as eager", "peak GB"],
    [own, ...others].map((peer) => [
      peer.name,
      spread(peer.ms, 2),
      timesAsFast(peer, eager).toFixed(2),
      (peer.last.peak / 1e9).toFixed(2),
    ]),
  );
  console.log(`\nint8 moves the network's output by ${(100 * (await costOfInt8(job))).toFixed(2)} % of its norm`);
};

/** `sample [rounds] [threads] [name]`: 11 rounds on 2 threads by default, of the jobs whose name holds this. */
export const run = async ([rounds = "11", threads = "2", part = ""]) => {
  console.log(machine(threads));
  for (const [name, job] of Object.entries(JOBS).filter(([name]) => name.includes(part)))
    await measure(name, { work: "sample", threads: Number(threads), ...job }, Number(rounds));
};
