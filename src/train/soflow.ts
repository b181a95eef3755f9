import type { HostArray } from "../graph/dtype.js";
import { type Loss, soflow } from "../objectives/index.js";
import { input, slice } from "../ops/index.js";
import {
  type LogitNormal,
  logitNormal,
  type MiddleTime,
  middleRatio,
  type Network,
  PARAMETERISATIONS,
  PATHS,
  type ParameterisationName,
  type PathName,
} from "../paths/index.js";
import { key } from "../random/random.js";

/** SoFlow as training sees it: what the objective needs beside the network. */
export type SoFlowSettings = {
  readonly path: PathName;
  readonly parameterisation: ParameterisationName;
  /** λ in [0, 1]: the first ⌊λB⌋ samples of a batch take the velocity loss. */
  readonly velocityShare: number;
  readonly power: number;
  readonly epsilon: number;
  readonly times: { readonly velocity: LogitNormal; readonly first: LogitNormal; readonly second: LogitNormal };
  readonly middle: MiddleTime;
  readonly guidance: {
    readonly scale: number;
    readonly mix: number;
    readonly decayTime: number;
    readonly labelDropout: number;
  };
};

/** Sizes of a batch: images [batch channels side side]; `classes` 0 means unconditional. */
export type BatchShape = {
  readonly batch: number;
  readonly channels: number;
  readonly side: number;
  readonly classes: number;
};

/** How many samples take the velocity loss. */
export const velocityCount = (share: number, batch: number): number => Math.floor(share * batch);

/** The loss as a function of program inputs x_0, eps, labels (before dropout), trained (after), t, time1, time2, ratio. */
export const buildLoss = (
  settings: SoFlowSettings,
  network: Network,
  { batch, channels, side, classes }: BatchShape,
): Loss => {
  const n = velocityCount(settings.velocityShare, batch);
  const image = { dtype: "float32", shape: [batch, channels, side, side] } as const;
  const label = { dtype: "int64", shape: [batch] } as const;
  const all = {
    x_0: input("x_0", image),
    eps: input("eps", image),
    labels: input("trained", label),
    original: input("labels", label),
  };
  const part = (start: number, end: number) => ({
    x_0: slice(all.x_0, { axis: 0, start, end }),
    eps: slice(all.eps, { axis: 0, start, end }),
    labels: slice(all.labels, { axis: 0, start, end }),
    original: slice(all.original, { axis: 0, start, end }),
  });
  const time = (name: string, count: number) => input(name, { dtype: "float32", shape: [count, 1, 1, 1] });
  const { power, epsilon, guidance } = settings;
  return soflow({
    network,
    path: PATHS[settings.path],
    coefficients: PARAMETERISATIONS[settings.parameterisation],
    weight: { power, epsilon },
    ...(classes > 0 && { guidance }),
    nullLabel: classes,
  })({
    ...(n > 0 && { velocity: { ...part(0, n), t: time("t", n) } }),
    ...(n < batch && {
      consistency: {
        ...part(n, batch),
        time1: time("time1", batch - n),
        time2: time("time2", batch - n),
        ratio: input("ratio", { dtype: "float32", shape: [] }),
      },
    }),
  });
};

/** What a loader gives: images [B C H W] in [−1, 1], labels, and the samples' places in the whole run. */
export type RawBatch = {
  readonly images: Float32Array<ArrayBuffer>;
  readonly labels: BigInt64Array<ArrayBuffer>;
  readonly indices: readonly number[];
};

/**
 * All random draws of one step. Each depends on (seed, purpose, step, global sample index) alone, so a run is the same
 * on any number of machines and after a resume.
 */
export const drawBatch = (
  settings: SoFlowSettings,
  { images, labels, indices }: RawBatch,
  { seed, step, steps, classes }: { seed: number; step: number; steps: number; classes: number },
): Record<string, HostArray> => {
  const batch = indices.length;
  const n = velocityCount(settings.velocityShare, batch);
  const keyOf = (purpose: string, sample: number) => key(seed).fold(purpose).fold(step).fold(sample);
  const size = images.length / batch;
  const eps = new Float32Array(images.length);
  indices.forEach((sample, j) => {
    eps.set(keyOf("noise", sample).normal(size), j * size);
  });
  const times = (purpose: string, from: number, to: number, distribution: LogitNormal) =>
    Float32Array.from(indices.slice(from, to), (sample) =>
      logitNormal(distribution, keyOf(purpose, sample).normal(1)[0]!),
    );
  // As in the official code, labels are dropped only where training is guided.
  const drops = classes > 0 && settings.guidance.scale > 1 ? settings.guidance.labelDropout : 0;
  const none = BigInt(classes);
  const used = classes > 0 ? labels : labels.map(() => none);
  const trained = used.map((label, j) => (keyOf("label-dropout", indices[j]!).uniform(1)[0]! < drops ? none : label));
  return {
    x_0: images,
    eps,
    labels: used,
    trained,
    t: times("time-velocity", 0, n, settings.times.velocity),
    time1: times("time-first", n, batch, settings.times.first),
    time2: times("time-second", n, batch, settings.times.second),
    ratio: Float32Array.of(middleRatio(settings.middle, step, steps)),
  };
};
