import { alphaBars, ddpm, edm } from "../objectives/index.js";
import { sampleDraws, standardNormal, stepKeys } from "./draws.js";
import { type Method, oneTime, perSampleInput, sampleInputs } from "./method.js";

/** Steps of the forward process that DDPM is trained with. */
export const DDPM_STEPS = 1000;

export type DdpmSettings = { readonly labelDropout: number };

/** DDPM. Program inputs beside the samples: the whole step and its ᾱ. The network's time is the step. arXiv:2006.11239. */
export const ddpmMethod = ({ labelDropout }: DdpmSettings): Method => ({
  times: 1,
  labelDropout,
  loss: ({ network }, shape) =>
    ddpm({ network: oneTime(network) })({
      ...sampleInputs(shape),
      step: perSampleInput("step", shape.batch),
      alphaBar: perSampleInput("alphaBar", shape.batch),
    }),
  draws: (raw, context) => {
    const step = stepKeys(context, raw.indices).each("time", (key) => key.integers(1, DDPM_STEPS)[0]!);
    const bars = alphaBars(DDPM_STEPS);
    return { ...sampleDraws(raw, context, labelDropout), step, alphaBar: step.map((i) => bars[i]!) };
  },
});

export type EdmSettings = {
  /** Mean and deviation of ln σ in training. */
  readonly noise: { readonly mean: number; readonly deviation: number };
  readonly labelDropout: number;
};

/** EDM. Program inputs beside the samples: σ. The network's time is ln σ / 4. arXiv:2206.00364. */
export const edmMethod = ({ noise, labelDropout }: EdmSettings): Method => ({
  times: 1,
  labelDropout,
  loss: ({ network }, shape) =>
    edm({ network: oneTime(network) })({ ...sampleInputs(shape), sigma: perSampleInput("sigma", shape.batch) }),
  draws: (raw, context) => {
    const level = (z: number): number => Math.exp(noise.mean + noise.deviation * z);
    const sigma = stepKeys(context, raw.indices).each("time", (key) => level(standardNormal(key)));
    return { ...sampleDraws(raw, context, labelDropout), sigma };
  },
});
