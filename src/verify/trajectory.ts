import { openMethod, type SoFlowSettings } from "../methods/index.js";
import { parameterInput } from "../nn/index.js";
import { adamw } from "../optim/index.js";
import { middleRatio } from "../paths/index.js";
import type { Runtime } from "../runtime/index.js";
import { openNetwork } from "../train/model.js";
import { emaName, TrainingStep } from "../train/step.js";
import {
  type Check,
  type Fixture,
  filled,
  filledParameters,
  float32Of,
  json,
  relative,
  relativeInNorm,
} from "./fixture.js";
import { TINY } from "./networks.js";

const SETTINGS: SoFlowSettings = {
  path: "linear",
  parameterisation: "euler",
  velocityShare: 0.75,
  power: 1,
  epsilon: 0.01,
  times: { velocity: { mean: 0, deviation: 1 }, first: { mean: 0, deviation: 1 }, second: { mean: 0, deviation: 1 } },
  middle: { schedule: "exponent", initial: 0.1, final: 0.002 },
  guidance: { scale: 3, mix: 0.25, decayTime: 0.8, labelDropout: 0.1 },
};
const OPTIMISER = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0, learningRate: () => 1e-3 };
const BATCH = 8;
const VELOCITY = 6;
const STEPS = 6;

/** The batch of step k: filled images and noise, times from the fill rule, labels (3k + j) mod 10, dropped where 7 divides k + j. */
const batchOf = (fixture: Fixture, k: number) => {
  const image = [TINY.channels, TINY.imageSize, TINY.imageSize];
  const noise = (name: string, n: number) => filled(fixture, `step${k}.noise.${name}`, [n, ...image]);
  const times = (name: string, n: number) =>
    filled(fixture, `step${k}.${name}`, [n, 1, 1, 1], 0.49).map((u) => u + 0.5);
  const labels = BigInt64Array.from({ length: BATCH }, (_, j) => BigInt((3 * k + j) % TINY.classes));
  return {
    x_0: filled(fixture, `step${k}.data`, [BATCH, ...image]),
    eps: Float32Array.from([...noise("velocity", VELOCITY), ...noise("consistency", BATCH - VELOCITY)]),
    labels,
    trained: labels.map((label, j) => ((k + j) % 7 === 0 ? BigInt(TINY.classes) : label)),
    t: times("t", VELOCITY),
    time1: times("time1", BATCH - VELOCITY),
    time2: times("time2", BATCH - VELOCITY),
    ratio: Float32Array.of(middleRatio(SETTINGS.middle, k, STEPS)),
  };
};

/** Six whole training steps through the trainer's own step: what each reports, then all weights and their averages. */
export const soflowTrajectory = async (fixture: Fixture, runtime: Runtime): Promise<Check[]> => {
  const { network: F, parameters } = openNetwork(TINY);
  const shape = { batch: BATCH, channels: TINY.channels, side: TINY.imageSize, classes: TINY.classes };
  const loss = openMethod({ kind: "soflow", ...SETTINGS }).loss({ network: F, average: F, teacher: undefined }, shape);
  const options = {
    loss,
    parameters: parameters,
    transform: adamw(OPTIMISER),
    averages: { ema: () => 0.99 },
    clipNorm: null,
  };
  const step = await TrainingStep.create(runtime, options);
  for (const [name, data] of Object.entries(filledParameters(fixture, parameters))) {
    await step.state.write(name, data);
    await step.state.write(emaName(name.slice(parameterInput("").length)), data);
  }
  const checks: Check[] = [];
  for (const { step: k, ...logged } of json<({ step: number } & Record<string, number>)[]>(fixture, "log")) {
    const report = { ...(await step.gradients(batchOf(fixture, k))), ...(await step.update(k + 1)) };
    for (const [name, wanted] of Object.entries(logged))
      checks.push({ name: `step ${k} ${name}`, error: relative(report[name] ?? Number.NaN, wanted), tolerance: 1e-3 });
  }
  for (const name of fixture.tensors.keys()) {
    const [group, ...rest] = name.split(".");
    const parameter = rest.join(".");
    const got = await step.state.read(group === "ema" ? emaName(parameter) : parameterInput(parameter));
    checks.push({ name: `final ${name}`, error: relativeInNorm(got, float32Of(fixture, name)), tolerance: 1e-3 });
  }
  step.release();
  return checks;
};
