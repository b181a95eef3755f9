import { openMethod } from "../../dist/methods/index.js";
import { key } from "../../dist/random/random.js";
import { openStep } from "../../dist/train/open.js";
import { trainingConfig } from "./config.mjs";

/** The model of a job: its network, and the objective's number of times. */
export const describe = ({ network, objective }) => ({
  format: "soflow",
  version: 1,
  network: { ...network, times: objective?.kind === "ddpm" ? 1 : 2, nullLabel: true },
  method: { kind: "soflow", path: "linear", parameterisation: "euler" },
  classes: Array.from({ length: network.classes }, (_, i) => `${i}`),
});

/** What a step is told: a batch of random images, and everything drawn for it. */
export const drawsOf = ({ batch, network }, { objective }) => {
  const images = key(1).normal(batch * network.channels * network.imageSize ** 2);
  const labels = BigInt64Array.from({ length: batch }, (_, i) => BigInt(i % network.classes));
  const indices = Array.from({ length: batch }, (_, i) => i);
  const context = { seed: 0, step: 500, steps: 1000, classes: network.classes };
  return openMethod(objective).draws({ images, labels, indices }, context);
};

/** A training step on a batch of random images: `round` runs it and gives the loss. */
export const openTraining = async (runtime, job) => {
  const config = trainingConfig(job);
  const { step, release } = await openStep(runtime, config, describe(job));
  const draws = drawsOf(job, config);
  let k = 0;
  const round = async () => {
    const { loss } = await step.gradients(draws);
    await step.update(++k);
    return loss;
  };
  return { round, release };
};
