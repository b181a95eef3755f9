import { z } from "zod";
import type { ParameterisationName, PathName } from "../../paths/index.js";
import { above0, atLeast0, share, spelled, withKind } from "./fields.js";

const PATH_CHOICES = ["linear", "trig"] as const satisfies readonly PathName[];
const PARAMETERISATION_CHOICES = ["euler", "trig"] as const satisfies readonly ParameterisationName[];
/** The official configuration files say Triangular where the official code reads Trig. */
const TRIG = { triangular: "trig", Triangular: "trig", Trig: "trig" } as const;

const logitNormal = (mean: number, deviation: number, meaning: string) =>
  z
    .strictObject({
      mean: z.number().default(mean).describe("mean of the normal draw z; t = σ(z)"),
      deviation: above0().default(deviation).describe("standard deviation of z"),
    })
    .prefault({})
    .describe(meaning);

const times = z
  .strictObject({
    velocity: logitNormal(-0.2, 1.0, "t of the velocity loss"),
    first: logitNormal(-1.0, 0.8, "s, the end of the consistency loss's interval"),
    second: logitNormal(0.2, 0.8, "t, the start of the consistency loss's interval"),
  })
  .prefault({})
  .describe("where training looks: logit-normal times, 0 is data and 1 is noise");

const middle = z
  .strictObject({
    schedule: z
      .enum(["const", "linear", "cosine", "exponent"])
      .default("exponent")
      .describe("how r moves from initial to final over train.steps; const stays at final"),
    initial: above0().max(1).default(0.1).describe("r at the first step, as a share of the way from t to s"),
    final: above0().max(1).default(0.002).describe("r at the last step"),
  })
  .prefault({})
  .describe("the middle time l = t + (s − t) r of the consistency loss");

const guidance = z
  .strictObject({
    scale: z.number().min(1).default(1).describe("ω: 1 is no guidance, the paper uses 3; needs labels"),
    mix: share().default(1).describe("m: share of the guided velocity in the target, the paper uses 0.25"),
    decayTime: above0().max(1).default(0.8).describe("τ: guidance fades out from this time to noise"),
    labelDropout: z.number().min(0).lt(1).default(0.1).describe("probability that guided training hides a label"),
  })
  .prefault({})
  .describe("classifier-free guidance, taken into training so that sampling stays one evaluation");

const soflow = z.strictObject({
  kind: z.literal("soflow").describe("one-step flow by solution functions, arXiv:2512.15657"),
  path: spelled(PATH_CHOICES, TRIG)
    .default("linear")
    .describe("from data to noise: linear, or trig (variance-preserving)"),
  parameterisation: spelled(PARAMETERISATION_CHOICES, TRIG)
    .default("euler")
    .describe("coefficients of the solution function around the network"),
  velocityShare: share()
    .default(0.75)
    .describe("λ: share of a batch that takes the velocity loss, the rest consistency"),
  power: atLeast0().default(1).describe("p of the adaptive weight 1 / (error + ε)^p; 0 is the plain squared error"),
  epsilon: above0().default(0.01).describe("ε of the adaptive weight"),
  times,
  middle,
  guidance,
});

export const objectiveSchema = z
  .preprocess(withKind("soflow"), z.discriminatedUnion("kind", [soflow]))
  .prefault({ kind: "soflow" })
  .describe("what training minimises");

export type ObjectiveConfig = z.output<typeof objectiveSchema>;
