// Is a SoFlow training step as fast as PyTorch's? Guided as published for ImageNet (ω 3, m 0.25, λ 0.75), AdamW, EMA.
import { openNaive, openSoflow, openTorch } from "./lib/peers.mjs";
import { interleave, machine, median, spread, table, timesAsFast } from "./lib/rounds.mjs";

const GUIDANCE = { scale: 3, mix: 0.25, decayTime: 0.8, labelDropout: 0.1 };
const JOBS = {
  "DiT 384×6, 64 tokens, batch 32": {
    batch: 32,
    network: { imageSize: 16, patch: 2, channels: 4, width: 384, depth: 6, heads: 6, classes: 10 },
  },
  "DiT-B/4, 64 tokens, batch 16": {
    batch: 16,
    network: { imageSize: 32, patch: 4, channels: 4, width: 768, depth: 12, heads: 12, classes: 1000 },
  },
};

const measure = async (name, job, rounds) => {
  const peers = [await openSoflow(job), await openNaive(job), await openTorch(job), await openTorch(job, true)].filter(
    Boolean,
  );
  const [own, ...others] = await interleave(peers, rounds);
  for (const { close } of peers) close();
  const eager = [own, ...others].find(({ name }) => name === "PyTorch eager") ?? own;
  console.log(`\n${name}; ${[own, ...others].map(({ name, version }) => `${name} ${version}`).join(", ")}\n`);
  table(
    ["one training step", "ms (quartiles)", "times as fast as eager", "peak GB"],
    [own, ...others].map((peer) => [
      peer.name,
      spread(peer.ms, 0),
      timesAsFast(peer, eager).toFixed(2),
      (peer.last.peak / 1e9).toFixed(2),
    ]),
  );
};

/** The limit: the same chain of matrix products by both libraries. */
const limit = async (threads, rounds) => {
  const job = { work: "products", threads };
  const peers = [await openSoflow(job, "ONNX Runtime"), await openTorch(job)].filter(Boolean);
  const measured = await interleave(peers, rounds);
  for (const { close } of peers) close();
  const operations = 10 * 2 * 2048 * 384 * 1536;
  const rates = measured.map(({ name, ms }) => `${name} ${(operations / median(ms) / 1e6).toFixed(0)} GFLOP/s`);
  console.log(`\nmatrix products alone: ${rates.join(", ")}`);
};

/** `train [rounds] [threads]`: 11 rounds on 2 threads by default. */
export const run = async ([rounds = "11", threads = "2"]) => {
  console.log(machine(threads));
  for (const [name, job] of Object.entries(JOBS))
    await measure(name, { work: "step", threads: Number(threads), guidance: GUIDANCE, ...job }, Number(rounds));
  await limit(Number(threads), Number(rounds));
};
