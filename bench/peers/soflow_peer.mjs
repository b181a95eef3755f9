// soflow on the same work, driven over stdin: one line in, one round, one JSON line out. See bench/lib/peers.mjs.
import { createInterface } from "node:readline";
import { key } from "../../dist/random/random.js";
import { openRateMeter, openRuntime, peakMemory } from "../../dist/runtime/index.js";
import { Generator, readWeights } from "../../dist/train/generate.js";
import { describe, openTraining } from "./training.mjs";

const openSampling = async (runtime, { network, batch, ...rest }) => {
  const description = describe({ network });
  const weights = await readWeights(description, async (name) => {
    const { parameters } = (await import("../../dist/train/model.js")).openNetwork(description.network);
    const { tensor } = parameters.find((parameter) => parameter.name === name);
    const size = tensor.shape.reduce((n, d) => n * d, 1);
    return key(0)
      .fold(name)
      .normal(size)
      .map((z) => 0.02 * z);
  });
  const generator = await Generator.create(runtime, description, { batch, ...rest.options }, weights);
  const labels = Array.from({ length: network.classes }, (_, i) => i);
  return async () => {
    for await (const { images } of generator.generate({ count: batch, labels, seed: 0 })) return images[0];
  };
};

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
  products: openProducts,
}[job.work](runtime, job);
for (let k = 0; k < (job.warmup ?? 3); k++) await round();
console.log(JSON.stringify({ ready: runtime.version }));
for await (const _ of lines) {
  const start = performance.now();
  const value = await round();
  console.log(JSON.stringify({ ms: performance.now() - start, value, peak: peakMemory() }));
}
process.exit(0);
