// What does a training step of each method cost, on the same network and batch?
// A DiT of width 192, depth 6 and 64 tokens, with the methods and the batch of configs/compare-cifar10.yaml, on random images.
import { fork } from "node:child_process";
import { availableParallelism, cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { resolveComparison, trainingConfig } from "../dist/compare/schema.js";
import { openMethod } from "../dist/methods/index.js";
import { key } from "../dist/random/random.js";
import { openRuntime, peakMemory, quantile } from "../dist/runtime/index.js";
import { describeModel, openStep } from "../dist/train/open.js";

const comparison = () =>
  resolveComparison("compare-cifar10", [
    "model={ patch: 4, width: 192, depth: 6, heads: 4 }",
    "methods.meanflow-needed={ objective: { kind: meanflow, derivative: needed } }",
  ]);
const DATA = { shape: { channels: 3, height: 32, width: 32 }, classes: Array.from({ length: 10 }, (_, i) => `${i}`) };

/** A step of a method on a batch of random images: `once(k)` runs it. */
const open = async (runtime, name) => {
  const config = trainingConfig(comparison(), name, 0, 1000);
  const description = describeModel(config, DATA);
  const { step, release } = await openStep(runtime, config, description);
  const { batch } = config.train;
  const images = key(1).normal(batch * 3 * 32 * 32);
  const labels = BigInt64Array.from({ length: batch }, (_, i) => BigInt(i % 10));
  const indices = Array.from({ length: batch }, (_, i) => i);
  const draws = openMethod(config.objective).draws(
    { images, labels, indices },
    { seed: 0, step: 500, steps: 1000, classes: 10 },
  );
  const once = async (k) => {
    await step.gradients(draws);
    await step.update(k + 1);
  };
  return { name, once, release };
};

/** Peak memory of a process that runs three steps of one method and nothing else. */
const memoryApart = (name, threads) =>
  new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), [name, threads ?? ""]);
    child.once("message", resolve);
    child.once("error", reject);
  });

if (process.send) {
  const [name, threads] = process.argv.slice(2);
  const runtime = await openRuntime(threads ? { threads: Number(threads) } : {});
  const { once, release } = await open(runtime, name);
  for (let k = 0; k < 3; k++) await once(k);
  process.send(peakMemory());
  release();
  await runtime.close();
}

/** `methods [rounds] [threads]`: 11 rounds by default, on all cores. */
export const run = async ([rounds = "11", threads]) => {
  const runtime = await openRuntime(threads ? { threads: Number(threads) } : {});
  const names = Object.keys(comparison().methods);
  const steps = [];
  for (const name of names) steps.push({ ...(await open(runtime, name)), ms: [] });
  for (let k = 0; k <= Number(rounds); k++)
    for (const step of steps) {
      const start = performance.now();
      await step.once(k);
      if (k > 0) step.ms.push(performance.now() - start); // the first round warms up
    }
  const base = steps.find(({ name }) => name === "soflow");
  console.log(
    "one training step, batch 64: DiT of width 192, depth 6, 64 tokens, labels; AdamW, EMA; rounds alternate",
  );
  console.log(
    `${cpus()[0].model}, ${runtime.threads} threads of ${availableParallelism()} cores; Node ${process.version}; ONNX Runtime ${runtime.version}`,
  );
  const memory = {};
  for (const { name, release } of steps) {
    release();
    memory[name] = await memoryApart(name, threads);
  }
  for (const { name, ms } of steps) {
    const ratio = ms.map((value, i) => value / base.ms[i]);
    const [low, mid, high] = [0.25, 0.5, 0.75].map((p) => quantile(ms, p).toFixed(0));
    console.log(
      `${name.padEnd(22)} ${mid.padStart(6)} ms (${low} – ${high})   ${quantile(ratio, 0.5).toFixed(2)} × soflow` +
        `   peak ${(memory[name] / 1e9).toFixed(2)} GB, ${(memory[name] / memory.soflow).toFixed(2)} × soflow`,
    );
  }
  await runtime.close();
};
