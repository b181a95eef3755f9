import { z } from "zod";
import { jvp } from "../autodiff/index.js";
import { above0, atLeast0, labelDropout, logitNormal, share } from "../fields.js";
import type { Tensor } from "../graph/tensor.js";
import { adaptiveWeight, type GuidedSamples, perSampleMean, pooled } from "../objectives/index.js";
import { cast, greater, less, maximum, minimum, onesLike, reshape, scalar, stopGradient, where } from "../ops/index.js";
import { along, type Conditions, type Network, PATHS, logitNormal as timeOf } from "../paths/index.js";
import { firstCount, partOf } from "./batch.js";
import { defineMethod } from "./define.js";
import { perBatch, perSample, type SampleNoise } from "./draws.js";
import { averageVelocityOutputs, flowMapSamplers } from "./flow-map.js";

type Interval = readonly [start: number, end: number];

export type AlphaFlowOptions = {
  /** F(z, t, r, c), read as the average velocity u(z, t, r) from r to t. */
  readonly network: Network;
  /** Guidance in training: weights of the sample's velocity and of the network's, for t strictly inside the interval. */
  readonly guidance: { readonly omega: number; readonly kappa: number; readonly interval: Interval };
  /** ε of the weight 1 / (ℓ + ε). */
  readonly epsilon: number;
  /** Largest number in a target. */
  readonly clip: number;
};

type Draws = GuidedSamples & { readonly t: Tensor };

/** Whether start < t < end.   t [B 1 …] → bool [B 1 …] */
const isInside = (t: Tensor, [start, end]: Interval): Tensor => {
  const [above, below] = [greater(t, start), less(t, end)].map((x) => cast(x, { to: "float32" })) as [Tensor, Tensor];
  return greater(above.mul(below), 0); // ONNX Runtime does not choose between booleans
};

/** Conditions of which those outside the interval are never dropped: α-Flow drops labels inside it alone. */
const dropInside = ({ c, c_given }: GuidedSamples, inside: Tensor): Conditions => {
  const rows = reshape(inside, { shape: [inside.dim(0)] });
  return Object.fromEntries(
    Object.entries(c).map(([name, x]) => {
      const given = c_given[name] ?? x;
      return [name, given === x ? x : where(rows, x, given)];
    }),
  );
};

/** z_t, the conditions y, and v_g = sg[ω v + κ u(z_t, t, t, y) + (1 − ω − κ) u(z_t, t, t, ∅)] inside the interval, else v. */
const aim = ({ network, guidance }: AlphaFlowOptions, draws: Draws) => {
  const { omega, kappa, interval } = guidance;
  const { t, c_null } = draws;
  const { x_t: z_t, v_t: v } = along(PATHS.linear, t, draws);
  const inside = isInside(t, interval);
  const y = dropInside(draws, inside);
  if (omega === 1 && kappa === 0) return { z_t, y, v_g: v };
  const u = (c: Conditions): Tensor => stopGradient(network(z_t, t, t, c));
  const guided = v.mul(omega).add(u(c_null).mul(1 - omega - kappa));
  return { z_t, y, v_g: where(inside, kappa > 0 ? guided.add(u(y).mul(kappa)) : guided, v) };
};

/** E[weight · ℓ] with ℓ = MEAN (u − target)² and weight = factor / (sg ℓ + ε); flow matching and consistency apart. */
const lossOf = (u: Tensor, target: Tensor, v_g: Tensor, factor: Tensor, epsilon: number) => {
  const losses = perSampleMean(u.sub(target).square());
  const weights = factor.mul(adaptiveWeight(losses, { power: 1, epsilon }));
  const report = {
    flow_matching: perSampleMean(u.sub(v_g).square()).mean(),
    consistency: perSampleMean(v_g.sub(target).mul(u).mul(2)).mean(), // with flow matching ℓ, up to terms without gradient
  };
  return { loss: weights.mul(losses).mean(), report, u, target, v_g, losses, weights };
};
export type AlphaFlowLoss = ReturnType<typeof lossOf>;

/** α-Flow for samples with r = t: flow matching towards v_g. */
export const alphaFlowVelocity =
  (options: AlphaFlowOptions) =>
  (draws: Draws): AlphaFlowLoss => {
    const { t } = draws;
    const { z_t, y, v_g } = aim(options, draws);
    return lossOf(options.network(z_t, t, t, y), stopGradient(v_g), v_g, scalar(1), options.epsilon);
  };

/**
 * α-Flow for samples with r < t. arXiv:2510.20771.   With Δt = α (t − r) and z′ = z_t − Δt v_g,
 *   target = sg clip[(Δt v_g + (t − Δt − r) u(z′, t − Δt, r)) / (t − r)],   weight = α / (sg ℓ + ε);
 * α = 1 is flow matching along whole trajectories. `alpha` 0 is the limit, MeanFlow's target with weight 1 / (sg ℓ + ε):
 *   target = sg[v_g − (t − r) du/dt],   the derivative along dz = v_g dt, dr = 0.
 */
export const alphaFlow =
  (options: AlphaFlowOptions) =>
  (draws: Draws & { readonly r: Tensor }, alpha: Tensor | 0): AlphaFlowLoss => {
    const { network, clip, epsilon } = options;
    const { t, r } = draws;
    const { z_t, y, v_g } = aim(options, draws);
    if (alpha === 0) {
      const [u, du_dt] = jvp((z, at) => network(z, at, r, y), [z_t, t], [v_g, onesLike(t)]);
      return lossOf(u, stopGradient(v_g.sub(t.sub(r).mul(du_dt))), v_g, scalar(1), epsilon);
    }
    const dt = alpha.mul(t.sub(r));
    const u_next = network(z_t.sub(dt.mul(v_g)), t.sub(dt), r, y);
    const mean = dt.mul(v_g).add(t.sub(dt).sub(r).mul(u_next)).div(t.sub(r));
    const target = stopGradient(minimum(maximum(mean, -clip), clip));
    return lossOf(network(z_t, t, r, y), target, v_g, alpha, epsilon);
  };

/** α(k) falls from 1 to 0 between two steps as 1 − σ(25 p), p from −1/2 to 1/2; close to its ends it is 1 or `least`. */
export const alphaAt = (step: number, start: number, end: number, least: number): number => {
  const p = end > start ? (step - (start + end) / 2) / (end - start) : step < end ? -1 : 1;
  const alpha = 1 - 1 / (1 + Math.exp(-25 * p));
  if (alpha > 0.995) return 1;
  return Math.max(alpha, least);
};

const schema = z.strictObject({
  kind: z.literal("alpha-flow").describe("from whole trajectories to average velocities, arXiv:2510.20771"),
  velocityShare: share().default(0.5).describe("ρ: fraction of a batch that takes r = t"),
  times: logitNormal(-0.4, 1, "the two draws, of which the larger is t and the smaller r"),
  alpha: z
    .strictObject({
      start: share().default(0).describe("where α begins to fall from 1, as a fraction of train.steps"),
      end: share().default(1).describe("where it has fallen to `least`"),
      least: above0()
        .max(1)
        .default(0.005)
        .describe("α at the end; the paper goes on with MeanFlow's derivative where α falls below 0.005"),
    })
    .prefault({})
    .describe("α, the first part of the way from t to r that a target takes along the velocity"),
  guidance: z
    .strictObject({
      omega: above0().default(1).describe("ω: weight of the sample's own velocity"),
      kappa: z.number().min(0).lt(1).default(0).describe("κ: weight of the network's velocity under the label"),
      start: atLeast0().default(0).describe("guidance acts for t above this"),
      end: atLeast0().default(1).describe("guidance acts for t below this"),
      labelDropout: labelDropout(),
    })
    .prefault({})
    .describe("guidance in training, with effective scale ω / (1 − κ)"),
  epsilon: above0().default(1e-3).describe("ε of the weight 1 / (error + ε)"),
  clip: above0().default(4).describe("largest number in a target"),
});
export type AlphaFlowSettings = z.output<typeof schema>;

/** t and r of one sample: the larger and the smaller of two draws; the same for the first samples of a batch. */
const timesOf = ({ times }: AlphaFlowSettings, { normal }: SampleNoise, together: boolean) => {
  const [a, b] = [timeOf(times, normal("time-first")), timeOf(times, normal("time-second"))];
  return together ? { t: a, r: a } : { t: Math.max(a, b), r: Math.min(a, b) };
};

/** α-Flow. arXiv:2510.20771. */
export const alphaFlowMethod = defineMethod({
  kind: "alpha-flow",
  name: "α-Flow",
  paper: "arXiv:2510.20771",
  tag: "one-step-generation",
  schema,
  problem: ({ alpha: { start, end }, guidance }: AlphaFlowSettings) => {
    if (start > end) return { field: "alpha.start", text: `is ${start}; it must be at most alpha.end, ${end}` };
    const { omega, kappa, start: from, end: to } = guidance;
    if (from > to) return { field: "guidance.start", text: `is ${from}; it must be at most guidance.end, ${to}` };
    const scale = `an effective scale ω / (1 − κ) of ${Number((omega / (1 - kappa)).toPrecision(3))}`;
    if (omega + kappa < 1)
      return {
        field: "guidance.omega",
        text: `is ${omega} with kappa ${kappa}, ${scale}; their sum must be at least 1`,
      };
    return undefined;
  },
  times: 2,
  labelDropout: ({ guidance }) => guidance.labelDropout,
  firstFraction: ({ velocityShare }) => velocityShare,
  draws: (settings) => {
    const time = (name: "t" | "r") =>
      perSample(
        () => (noise, j, batch) => timesOf(settings, noise, j < firstCount(settings.velocityShare, batch))[name],
      );
    const { start, end, least } = settings.alpha;
    return {
      t: time("t"),
      r: time("r"),
      alpha: perBatch(({ step, steps }) => alphaAt(step, start * steps, end * steps, least)),
    };
  },
  loss: ({ velocityShare, guidance, epsilon, clip }, { network, conditional }) => {
    const { omega, kappa, start, end } = conditional ? guidance : { omega: 1, kappa: 0, start: 0, end: 1 };
    const options: AlphaFlowOptions = { network, guidance: { omega, kappa, interval: [start, end] }, epsilon, clip };
    return (batch) => {
      const [count, n] = [batch.x_0.dim(0), firstCount(velocityShare, batch.x_0.dim(0))];
      const trajectories = () => alphaFlow(options)(partOf(batch, n, count), batch.alpha);
      if (n === 0) return trajectories();
      const velocities = alphaFlowVelocity(options)(partOf(batch, 0, n));
      return n === count ? velocities : pooled(velocities, n, trajectories(), count - n);
    };
  },
  kept: [],
  outputs: averageVelocityOutputs,
  guidance: "in training",
  samplers: flowMapSamplers("solution", "renoise"),
});
