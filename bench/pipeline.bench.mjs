// Do data and noise keep up? Samples per second of each alone, against what training takes, on the quickstart's preset.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Loader, openDataset } from "../dist/data/index.js";
import { openMethod } from "../dist/methods/index.js";
import { openRuntime } from "../dist/runtime/index.js";
import { resolveConfig } from "../dist/train/config/index.js";
import { describeModel, openStep } from "../dist/train/open.js";
import { runTraining } from "../dist/train/run.js";
import { machine, spread, table } from "./lib/rounds.mjs";

const PRESETS = { quickstart: [], "cifar10-small": ["data.path=../shared/data/cifar10-train-*.tar"] };

/** Samples per second of `work`, which makes `batch` at a time, in each of some rounds of at least 200 ms. */
const rates = async (batch, rounds, work) => {
  const found = [];
  for (let round = 0; round <= rounds; round++) {
    const start = performance.now();
    let made = 0;
    while (performance.now() - start < 200 || made === 0) {
      await work();
      made += batch;
    }
    if (round > 0) found.push((1000 * made) / (performance.now() - start));
  }
  return found;
};

/** Samples per second of whole training steps: data, noise, logging, everything but sheets and checkpoints. */
const wholeRun = async (runtime, preset, overrides) => {
  const folder = mkdtempSync(join(tmpdir(), "soflow-pipeline-"));
  const settings = ["train.steps=24", "train.sampleEvery=24", "train.checkpointEvery=24", `out=${join(folder, "run")}`];
  const config = resolveConfig({ file: preset, overrides: [...overrides, ...settings] });
  const times = [];
  await runTraining({ config, runtime, onProgress: () => times.push(performance.now()) });
  rmSync(folder, { recursive: true });
  return times.slice(6).map((at, i) => (1000 * config.train.batch) / (at - times[i + 5]));
};

const measure = async (preset, overrides, rounds, threads) => {
  const config = resolveConfig({ file: preset, overrides });
  const { seed, data, train } = config;
  const { batch } = train;
  const dataset = await openDataset(data, seed);
  const options = { seed, batch, startStep: 0, flip: "flip" in data && data.flip, onError: "stop" };
  const loader = new Loader(dataset, options);
  const first = await loader.next();
  const method = openMethod(config.objective);
  const draws = (step) => method.draws(first, { seed, step, steps: train.steps, classes: dataset.classes.length });
  let k = 0;
  const data_ = await rates(batch, rounds, () => loader.next());
  const noise = await rates(batch, rounds, () => draws(k++));
  const runtime = await openRuntime({ threads });
  const { step, release } = await openStep(runtime, config, describeModel(config, dataset));
  const fixed = draws(0);
  const alone = async () => {
    await step.gradients(fixed);
    await step.update(1);
  };
  const [training, whole] = [[], []];
  for (let round = 0; round < 3; round++) {
    training.push(...(await rates(batch, rounds, alone)));
    whole.push(...(await wholeRun(runtime, preset, overrides)));
  }
  release();
  await dataset.close();
  await runtime.close();
  const times = (values) =>
    (values.sort((a, b) => a - b)[values.length >> 1] / training[training.length >> 1]).toFixed(2);
  training.sort((a, b) => a - b);
  console.log(`\n${preset}, batches of ${batch}\n`);
  table(
    ["samples per second", "median (quartiles)", "of what training takes"],
    [
      ["training steps alone", spread(training, 0), "1"],
      ["whole training, data and noise included", spread(whole, 0), times(whole)],
      ["data alone", spread(data_, 0), times(data_)],
      ["noise, times and labels alone", spread(noise, 0), times(noise)],
    ],
  );
};

/** `pipeline [rounds] [threads]`: 7 rounds on 2 threads by default. */
export const run = async ([rounds = "7", threads = "2"]) => {
  console.log(machine(threads));
  for (const [preset, overrides] of Object.entries(PRESETS))
    await measure(preset, overrides, Number(rounds), Number(threads)).catch((thrown) =>
      console.log(`left out: ${preset}: ${thrown.message}`),
    );
};
