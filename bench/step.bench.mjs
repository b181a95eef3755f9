// How much of the machine's matrix-product rate does a training step reach?
// DiT of width 384, depth 4, 6 heads, 64 tokens (4×16×16 latents, patch 2), batch 32: velocity loss, AdamW, EMA.
import { availableParallelism, cpus } from "node:os";
import { openMethod } from "../dist/methods/index.js";
import { parameterInput } from "../dist/nn/index.js";
import { adamw } from "../dist/optim/index.js";
import { key } from "../dist/random/random.js";
import { openRateMeter, openRuntime, peakMemory, quantile } from "../dist/runtime/index.js";
import { openNetwork } from "../dist/train/model.js";
import { TrainingStep } from "../dist/train/step.js";

const BATCH = 32;
const NETWORK = { imageSize: 16, patch: 2, channels: 4, width: 384, depth: 4, heads: 6, classes: 10, nullLabel: true };
const TIMES = { mean: 0, deviation: 1 };
const SETTINGS = {
  kind: "soflow",
  path: "linear",
  parameterisation: "euler",
  velocityShare: 1,
  power: 1,
  epsilon: 0.01,
  times: { velocity: TIMES, first: TIMES, second: TIMES },
  middle: { schedule: "const", initial: 0.1, final: 0.002 },
  guidance: { scale: 1, mix: 1, decayTime: 1, labelDropout: 0.1 },
};

/** Floating-point operations of one step in matrix products: forward once, backward twice. */
const stepOperations = () => {
  const { width: D, depth, patch, channels, imageSize } = NETWORK;
  const tokens = (imageSize / patch) ** 2;
  const perToken = depth * 12 * D * D + 2 * D * patch * patch * channels;
  const perSample = depth * 6 * D * D + 2 * D * D + 2 * (256 * D + D * D);
  const attention = depth * 2 * tokens * tokens * D;
  return 3 * 2 * BATCH * (tokens * perToken + perSample + attention);
};

const openStep = async (runtime) => {
  const { network, parameters } = openNetwork(NETWORK);
  const shape = { batch: BATCH, channels: 4, side: 16, classes: 10 };
  const loss = openMethod(SETTINGS).loss({ network, average: network }, shape);
  const transform = adamw({ beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0, learningRate: () => 1e-4 });
  const step = await TrainingStep.create(runtime, {
    loss,
    parameters,
    transform,
    averages: { ema: () => 0.999 },
    clipNorm: null,
  });
  for (const { name, tensor, initialize } of parameters)
    await step.state.write(parameterInput(name), initialize(key(0).fold(name), tensor.shape));
  return step;
};

const row = (name, values, unit, digits = 1) => {
  const [low, mid, high] = [0.25, 0.5, 0.75].map((p) => quantile(values, p).toFixed(digits));
  console.log(`${name.padEnd(34)} ${mid.padStart(9)} ${unit}   (quartiles ${low} – ${high})`);
};

/** `step [rounds] [threads]`: 11 rounds by default, on all cores. */
export const run = async ([rounds = "11", threads]) => {
  const runtime = await openRuntime(threads ? { threads: Number(threads) } : {});
  const step = await openStep(runtime);
  const meter = await openRateMeter(runtime);
  const images = key(1).normal(BATCH * 4 * 16 * 16);
  const indices = Array.from({ length: BATCH }, (_, i) => i);
  const draws = { seed: 0, step: 0, steps: 1, classes: 10 };
  const batch = openMethod(SETTINGS).draws({ images, labels: new BigInt64Array(BATCH), indices }, draws);
  const measured = { gradients: [], update: [], whole: [], achieved: [], rate: [], share: [] };
  for (let k = 0; k <= Number(rounds); k++) {
    const start = performance.now();
    await step.gradients(batch);
    const middle = performance.now();
    await step.update(k + 1);
    const end = performance.now();
    const rate = await meter.round();
    if (k === 0) continue; // warm-up
    const achieved = stepOperations() / 1e6 / (end - start);
    const values = {
      gradients: middle - start,
      update: end - middle,
      whole: end - start,
      achieved,
      rate,
      share: achieved / rate,
    };
    for (const [name, value] of Object.entries(values)) measured[name].push(value);
  }
  console.log(
    `training step: DiT width ${NETWORK.width}, depth ${NETWORK.depth}, 64 tokens, batch ${BATCH}; velocity loss, AdamW, EMA`,
  );
  console.log(
    `${cpus()[0].model}, ${runtime.threads} threads of ${availableParallelism()} cores; Node ${process.version}; ONNX Runtime ${runtime.version}, ${runtime.name}`,
  );
  row("gradient program", measured.gradients, "ms");
  row("update program", measured.update, "ms");
  row("step", measured.whole, "ms");
  row(`step, of ${(stepOperations() / 1e9).toFixed(1)} GFLOP`, measured.achieved, "GFLOP/s");
  row("matrix products alone, same run", measured.rate, "GFLOP/s");
  row("share of that rate", measured.share, "", 3);
  console.log(`${"peak memory of the process".padEnd(34)} ${(peakMemory() / 1e9).toFixed(2).padStart(9)} GB`);
  meter.close();
  step.release();
  await runtime.close();
};
