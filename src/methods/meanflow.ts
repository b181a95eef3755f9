import { exhaustive } from "../errors.js";
import type { Tensor } from "../graph/tensor.js";
import { type Loss, type MeanFlowOptions, meanFlow, meanFlowVelocity } from "../objectives/index.js";
import { type LogitNormal, logitNormal, PATHS } from "../paths/index.js";
import { sampleDraws, standardNormal, stepKeys } from "./draws.js";
import { firstCount, type Method, part, perSampleInput, sampleInputs } from "./method.js";

/** MeanFlow as training sees it. arXiv:2505.13447. */
export type MeanFlowSettings = {
  readonly power: number;
  readonly epsilon: number;
  /** The share of a batch, its first samples, that takes r = t. */
  readonly velocityShare: number;
  /** `whole`: the JVP runs on the whole batch, as in the official code; `needed`: where r < t, with the same result. */
  readonly derivative: "whole" | "needed";
  /** `ordered`: two draws, the larger is t (ImageNet). `separate`: t and r from their own, r = min(t, r) (CIFAR-10). */
  readonly times: { readonly sampler: "ordered" | "separate"; readonly t: LogitNormal; readonly r: LogitNormal };
  readonly guidance: {
    readonly omega: number;
    readonly kappa: number;
    readonly start: number;
    readonly end: number;
    readonly labelDropout: number;
  };
};

/** The loss of n and m samples together, from that of each: means, so weighted by their numbers. */
const joined = (a: Loss, n: number, b: Loss, m: number): Loss => {
  const both = (x: Tensor, y: Tensor): Tensor => x.mul(n / (n + m)).add(y.mul(m / (n + m)));
  return { loss: both(a.loss, b.loss), report: { sum_squares: both(a.report.sum_squares!, b.report.sum_squares!) } };
};

/** t and r of one sample from two normal draws. */
const drawTimes = ({ sampler, t, r }: MeanFlowSettings["times"], a: number, b: number): { t: number; r: number } => {
  const [first, second] = [logitNormal(t, a), logitNormal(r, b)];
  switch (sampler) {
    case "ordered":
      return { t: Math.max(first, second), r: Math.min(first, second) };
    case "separate":
      return { t: first, r: Math.min(first, second) };
    default:
      return exhaustive(sampler);
  }
};

/** MeanFlow. Program inputs beside the samples: t and r ≤ t. */
export const meanflowMethod = (settings: MeanFlowSettings): Method => ({
  times: 2,
  labelDropout: settings.guidance.labelDropout,
  firstShare: settings.velocityShare,
  loss: ({ network }, shape) => {
    const { power, epsilon, guidance } = settings;
    const { omega, kappa, start, end } = guidance;
    const options: MeanFlowOptions = {
      network,
      path: PATHS.linear,
      weight: { power, epsilon },
      ...(shape.classes > 0 && { guidance: { omega, kappa, interval: [start, end] } }),
      nullLabel: shape.classes,
    };
    const { batch } = shape;
    const all = { ...sampleInputs(shape), t: perSampleInput("t", batch), r: perSampleInput("r", batch) };
    const equal = firstCount(settings.velocityShare, batch);
    if (settings.derivative === "whole" || equal === 0) return meanFlow(options)(all);
    const first = meanFlowVelocity(options)(part(all, 0, equal));
    if (equal === batch) return first;
    const others = meanFlow({ ...options, firstSample: equal })(part(all, equal, batch));
    return joined(first, equal, others, batch - equal);
  },
  draws: (raw, context) => {
    const { each } = stepKeys(context, raw.indices);
    const [a, b] = [each("time-first", standardNormal), each("time-second", standardNormal)];
    const pairs = raw.indices.map((_, j) => drawTimes(settings.times, a[j]!, b[j]!));
    const equal = firstCount(settings.velocityShare, pairs.length);
    const { omega, kappa, labelDropout } = settings.guidance;
    return {
      ...sampleDraws(raw, context, omega !== 1 || kappa !== 0 ? labelDropout : 0),
      t: Float32Array.from(pairs, ({ t }) => t),
      r: Float32Array.from(pairs, ({ t, r }, j) => (j < equal ? t : r)),
    };
  },
});
