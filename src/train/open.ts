import type { Dataset } from "../data/index.js";
import { openMethod } from "../methods/index.js";
import { parameterInput } from "../nn/index.js";
import { adamw, emaDecay, learningRate, radam } from "../optim/index.js";
import { key } from "../random/random.js";
import type { Runtime } from "../runtime/index.js";
import { type Config, modelSizes } from "./config/index.js";
import { augmentCondition, dropoutMasks } from "./dropout.js";
import { type ModelDescription, openNetwork } from "./model.js";
import { averageName, emaName, TrainingStep } from "./step.js";
import { openTeacher, type Teacher } from "./teacher.js";

/** The model that a configuration and a dataset describe. One label is no label. */
export const describeModel = (
  { data, model, objective }: Pick<Config, "model" | "objective"> & { readonly data?: Pick<Config["data"], "labels"> },
  dataset: Pick<Dataset, "classes" | "shape">,
): ModelDescription => {
  const classes = data?.labels !== false && dataset.classes.length > 1 ? dataset.classes : [];
  const { height: imageSize, channels } = dataset.shape;
  const { times, labelDropout } = openMethod(objective);
  const nullLabel = classes.length > 0 && labelDropout > 0;
  const network = { ...modelSizes(model), imageSize, channels, classes: classes.length, times, nullLabel };
  return { format: "soflow", version: 1, network, method: openMethod(objective).trained, classes };
};

const OPTIMIZERS = { adamw, radam } as const;

const buildStep = (
  runtime: Runtime,
  config: Config,
  description: ModelDescription,
  teacher: Teacher | undefined,
): Promise<TrainingStep> => {
  const { checkpointBlocks } = config.train;
  const { imageSize: side, channels, classes } = description.network;
  const { batch: whole, steps, microBatches } = config.train;
  const batch = whole / microBatches;
  const dropout = dropoutMasks(description.network, batch);
  const conditions = config.data.augment > 0 ? augmentCondition(description.network, batch) : {};
  const { network, parameters } = openNetwork(description.network, undefined, { checkpointBlocks, dropout });
  const { network: target } = openNetwork(description.network, averageName, { dropout });
  const method = openMethod(config.objective);
  const shape = { batch, sample: [channels, side, side], classes, conditions };
  const loss = method.loss({ network, target, teacher: teacher?.denoiser }, shape);
  const rate = learningRate({ ...config.optimizer, ...config.train });
  const { targetDecay } = method;
  const decay = emaDecay(config.ema);
  const slow = config.ema.every > 1 || config.ema.precision !== "float32"; // else it is part of the update program
  return TrainingStep.create(runtime, {
    loss,
    parameters,
    transform: OPTIMIZERS[config.optimizer.kind]({ ...config.optimizer, learningRate: rate }),
    averages: {
      ...(slow ? {} : { ema: decay }),
      ...(targetDecay && { average: (k: number) => targetDecay(k, steps) }),
    },
    ...(slow && { slowAverage: { ...config.ema, decay } }),
    clipNorm: config.optimizer.clipNorm,
    microBatches,
    ...(teacher && { fixed: teacher.weights }),
  });
};

/** Official initial values, each from a key of its own; averages begin at the weights. */
const initialise = async (step: TrainingStep, { network }: ModelDescription, seed: number): Promise<void> => {
  for (const { name, tensor, initialize } of openNetwork(network).parameters) {
    const value = initialize(key(seed).fold("init").fold(name), tensor.shape);
    for (const own of [parameterInput(name), emaName(name), averageName(name)])
      if (own in step.state.types) await step.state.write(own, value);
  }
};

/** A compiled training step at its initial values, with what it learns from. */
export const openStep = async (runtime: Runtime, config: Config, description: ModelDescription) => {
  const teacher = await openTeacher(config.objective, description, runtime);
  const step = await buildStep(runtime, config, description, teacher);
  await initialise(step, description, config.seed);
  const release = (): void => {
    step.release();
    teacher?.release();
  };
  return { step, release };
};
