import { exhaustive } from "../errors.js";
import { flowMatching } from "../objectives/index.js";
import { type LogitNormal, logitNormal, PATHS, type PathName } from "../paths/index.js";
import { sampleDraws, standardNormal, stepKeys, unit } from "./draws.js";
import { type Method, oneTime, perSampleInput, sampleInputs } from "./method.js";

/** Flow matching as training sees it. arXiv:2210.02747. */
export type FlowMatchingSettings = {
  readonly path: PathName;
  /** Times of training: uniform in [0, 1), or σ(N(mean, deviation)). */
  readonly times: { readonly sampler: "uniform" | "logit-normal"; readonly distribution: LogitNormal };
  /** Probability that training hides a label, so that sampling can be guided. */
  readonly labelDropout: number;
};

/** Flow matching. Program inputs beside the samples: t. */
export const flowMatchingMethod = ({ path, times, labelDropout }: FlowMatchingSettings): Method => ({
  times: 1,
  labelDropout,
  loss: ({ network }, shape) =>
    flowMatching({ network: oneTime(network), path: PATHS[path] })({
      ...sampleInputs(shape),
      t: perSampleInput("t", shape.batch),
    }),
  draws: (raw, context) => {
    const { each } = stepKeys(context, raw.indices);
    const draw = () => {
      switch (times.sampler) {
        case "uniform":
          return each("time", unit);
        case "logit-normal":
          return each("time", (key) => logitNormal(times.distribution, standardNormal(key)));
        default:
          return exhaustive(times.sampler);
      }
    };
    return { ...sampleDraws(raw, context, labelDropout), t: draw() };
  },
});
