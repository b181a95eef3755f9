// soflow on the same work, driven over stdin: one line in, one round, one JSON line out. See bench/lib/peers.mjs.
import { createInterface } from "node:readline";
import { openMethod } from "../../dist/methods/index.js";
import { key } from "../../dist/random/random.js";
import { openRateMeter, openRuntime, peakMemory } from "../../dist/runtime/index.js";
import { Generator, uploadWeights } from "../../dist/train/generate.js";
import { openStep } from "../../dist/train/open.js";
import { trainingConfig } from "./config.mjs";

const describe = ({ network }, objective) => {
  const classes = Array.from({ length: network.classes }, (_, i) => `${i}`);
  const method = { kind: "soflow", path: "linear", parameterisation: "euler" };
  return {
    format: "soflow",
    version: 1,
    network: { ...network, times: objective?.kind === "ddpm" ? 1 : 2, nullLabel: true },
    method,
    classes,
  };
};

const openTraining = async (runtime, job) => {
  const config = trainingConfig(job);
  const { step } = await openStep(runtime, config, describe(job, config.objective));
  const { batch, network } = job;
  const images = key(1).normal(batch * network.channels * network.imageSize ** 2);
  const labels = BigInt64Array.from({ length: batch }, (_, i) => BigInt(i % network.classes));
  const indices = Array.from({ length: batch }, (_, i) => i);
  const draws = openMethod(config.objective).draws(
    { images, labels, indices },
    { seed: 0, step: 500, steps: 1000, classes: network.classes },
  );
  let k = 0;
  return async () => {
    const { loss } = await step.gradients(draws);
    await step.update(++k);
    return loss;
  };
};

const openSampling = async (runtime, { network, batch, ...rest }) => {
  const description = describe({ network });
  const weights = await uploadWeights(runtime, description, async (name) => {
    const { parameters } = (await import("../../dist/train/model.js")).openNetwork(description.network);
    const { tensor } = parameters.find((parameter) => parameter.name === name);
    const size = tensor.shape.reduce((n, d) => n * d, 1);
    return key(0)
      .fold(name)
      .normal(size)
      .map((z) => 0.02 * z);
  });
  const generator = await Generator.create(runtime, description, { batch, ...rest.options });
  const labels = Array.from({ length: network.classes }, (_, i) => i);
  return async () => {
    for await (const { images } of generator.generate(weights, { count: batch, labels, seed: 0 })) return images[0];
  };
};

const openProducts = async (runtime) => {
  const meter = await openRateMeter(runtime);
  return () => meter.round();
};

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const job = JSON.parse((await lines.next()).value);
const runtime = await openRuntime({ threads: job.threads, ...(job.kind && { kind: job.kind }) });
const round = await { step: openTraining, sample: openSampling, products: openProducts }[job.work](runtime, job);
for (let k = 0; k < (job.warmup ?? 3); k++) await round();
console.log(JSON.stringify({ ready: runtime.version }));
for await (const _ of lines) {
  const start = performance.now();
  const value = await round();
  console.log(JSON.stringify({ ms: performance.now() - start, value, peak: peakMemory() }));
}
process.exit(0);
