// The same programs as onnxruntime-node's users run them: session.run on plain tensors, results fed back. See lib/peers.mjs.
import { createInterface } from "node:readline";
import { env, InferenceSession, Tensor } from "#onnxruntime-node";
import { openMethod } from "../../dist/methods/index.js";
import { lower } from "../../dist/onnx/index.js";
import { input } from "../../dist/ops/index.js";
import { adamw } from "../../dist/optim/index.js";
import { peakMemory } from "../../dist/runtime/index.js";
import { openNetwork } from "../../dist/train/model.js";
import { gradientProgram, normProgram, updateProgram } from "../../dist/train/step.js";
import { trainingConfig } from "./config.mjs";
import { noiseOf, randomWeights } from "./sampling.mjs";
import { describe, drawsOf } from "./training.mjs";

const OPTIONS = { logSeverityLevel: 4 };
const size = (shape) => shape.reduce((n, d) => n * d, 1);
const zeros = ({ dtype, shape }) =>
  new Tensor(dtype, dtype === "int64" ? new BigInt64Array(size(shape)) : new Float32Array(size(shape)), [...shape]);
const pick = (values, program) => Object.fromEntries(Object.keys(program.inputs).map((name) => [name, values[name]]));
const open = async (program, threads) => {
  const session = await InferenceSession.create(program.bytes, { ...OPTIONS, intraOpNumThreads: threads });
  return (values) => session.run(pick(values, program));
};

const openStep = async (job) => {
  const config = trainingConfig(job);
  const { network, parameters } = openNetwork(describe(job).network);
  const {
    batch,
    network: { imageSize: side, channels, classes },
  } = job;
  const loss = openMethod(config.objective).loss({ network, average: network }, { batch, channels, side, classes });
  const transform = adamw({ ...config.optimizer, learningRate: () => 1e-4 });
  const options = { loss, parameters, transform, averages: { ema: () => 0.999 }, clipNorm: null };
  const programs = [gradientProgram(options), normProgram(options), updateProgram(options)];
  const runs = await Promise.all(programs.map((program) => open(program, job.threads)));
  const draws = drawsOf(job, config);
  const types = Object.assign({}, ...programs.map(({ inputs }) => inputs));
  const values = Object.fromEntries(Object.entries(types).map(([name, type]) => [name, zeros(type)]));
  for (const [name, data] of Object.entries(draws))
    values[name] = new Tensor(types[name].dtype, data, [...types[name].shape]);
  return async () => {
    const slopes = await runs[0](values);
    Object.assign(values, slopes, await runs[1]({ ...values, ...slopes }));
    for (const [name, value] of Object.entries(await runs[2](values))) values[name.replace(/^next\./, "")] = value;
  };
};

const openSample = async (job) => {
  const { network: sizes, batch, threads, batches = 1 } = job;
  const description = describe(job);
  const { network } = openNetwork(description.network);
  const image = { dtype: "float32", shape: [batch, sizes.channels, sizes.imageSize, sizes.imageSize] };
  const time = { dtype: "float32", shape: [batch, 1, 1, 1] };
  const [x, t, s] = [input("x", image), input("t", time), input("s", time)];
  const y = input("y", { dtype: "int64", shape: [batch] });
  const program = lower("naive", { next: x.sub(network(x, t, s, y)) });
  const run = await open(program, threads);
  const labels = BigInt64Array.from({ length: batch }, (_, i) => BigInt(i % sizes.classes));
  const values = {
    t: new Tensor(new Float32Array(batch).fill(1), time.shape),
    s: zeros(time),
    y: new Tensor("int64", labels, [batch]),
  };
  for (const [name, data] of Object.entries(randomWeights(description)))
    values[name] = new Tensor(data, [...program.inputs[name].shape]);
  return async () => {
    for (let k = 0; k < batches; k++) {
      const noise = Float32Array.from(noiseOf(job).flatMap((part) => [...part]));
      await run({ ...values, x: new Tensor(noise, image.shape) });
    }
  };
};

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const job = JSON.parse((await lines.next()).value);
const round = await { step: openStep, sample: openSample }[job.work](job);
for (let k = 0; k < (job.warmup ?? 3); k++) await round();
console.log(JSON.stringify({ ready: env.versions.node }));
for await (const _ of lines) {
  const start = performance.now();
  await round();
  console.log(JSON.stringify({ ms: performance.now() - start, peak: peakMemory() }));
}
process.exit(0);
