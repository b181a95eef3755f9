import { soflow } from "../objectives/index.js";
import { input } from "../ops/index.js";
import {
  type LogitNormal,
  logitNormal,
  type MiddleTime,
  middleRatio,
  PARAMETERISATIONS,
  PATHS,
  type ParameterisationName,
  type PathName,
} from "../paths/index.js";
import { sampleDraws, standardNormal, stepKeys } from "./draws.js";
import { firstCount, type Method, part, perSampleInput, sampleInputs } from "./method.js";

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

/** SoFlow. Program inputs beside the samples: t, time1, time2 and the scalar ratio r(k, K). */
export const soflowMethod = (settings: SoFlowSettings): Method => ({
  times: 2,
  labelDropout: settings.guidance.labelDropout,
  firstShare: settings.velocityShare,
  loss: ({ network }, shape) => {
    const { batch, classes } = shape;
    const n = firstCount(settings.velocityShare, batch);
    const all = sampleInputs(shape);
    const { power, epsilon, guidance } = settings;
    return soflow({
      network,
      path: PATHS[settings.path],
      coefficients: PARAMETERISATIONS[settings.parameterisation],
      weight: { power, epsilon },
      ...(classes > 0 && { guidance }),
      nullLabel: classes,
    })({
      ...(n > 0 && { velocity: { ...part(all, 0, n), t: perSampleInput("t", n) } }),
      ...(n < batch && {
        consistency: {
          ...part(all, n, batch),
          time1: perSampleInput("time1", batch - n),
          time2: perSampleInput("time2", batch - n),
          ratio: input("ratio", { dtype: "float32", shape: [] }),
        },
      }),
    });
  },
  draws: (raw, context) => {
    const batch = raw.indices.length;
    const n = firstCount(settings.velocityShare, batch);
    const { each } = stepKeys(context, raw.indices);
    const times = (purpose: string, from: number, to: number, distribution: LogitNormal) =>
      each(purpose, (key) => logitNormal(distribution, standardNormal(key)), from, to);
    // As in the official code, labels are dropped only where training is guided.
    const { scale, labelDropout } = settings.guidance;
    return {
      ...sampleDraws(raw, context, scale > 1 ? labelDropout : 0),
      t: times("time-velocity", 0, n, settings.times.velocity),
      time1: times("time-first", n, batch, settings.times.first),
      time2: times("time-second", n, batch, settings.times.second),
      ratio: Float32Array.of(middleRatio(settings.middle, context.step, context.steps)),
    };
  },
});
