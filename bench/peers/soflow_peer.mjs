// soflow on the same work, driven over stdin: one line in, one round, one JSON line out. See bench/lib/peers.mjs.
import { createInterface } from "node:readline";
import { openRateMeter, openRuntime, peakMemory } from "../../dist/runtime/index.js";
import { openAutoencoder } from "./autoencoder.mjs";
import { openSampling } from "./sampling.mjs";
import { openTraining } from "./training.mjs";

const openProducts = async (runtime) => {
  const meter = await openRateMeter(runtime);
  return () => meter.round();
};

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const job = JSON.parse((await lines.next()).value);
const runtime = await openRuntime({ threads: job.threads, ...(job.kind && { kind: job.kind }) });
const round = await {
  step: async (...a) => (await openTraining(...a)).round,
  sample: openSampling,
  autoencoder: openAutoencoder,
  products: openProducts,
}[job.work](runtime, job);
for (let k = 0; k < (job.warmup ?? 3); k++) await round();
console.log(JSON.stringify({ ready: runtime.version }));
for await (const _ of lines) {
  const start = performance.now();
  await round();
  console.log(JSON.stringify({ ms: performance.now() - start, peak: peakMemory() }));
}
process.exit(0);
