import { z } from "zod";
import { curriculumProblem } from "../../objectives/index.js";
import type { ParameterisationName, PathName } from "../../paths/index.js";
import { above0, atLeast0, count, share, spelled, text, withKind } from "./fields.js";

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

const hiding = () =>
  z
    .number()
    .min(0)
    .lt(1)
    .default(0.1)
    .describe("probability that training hides a label, so that sampling can be guided");

const meanflow = z.strictObject({
  kind: z.literal("meanflow").describe("average velocities with an exact JVP, arXiv:2505.13447"),
  velocityShare: share().default(0.75).describe("share of a batch that takes r = t"),
  power: atLeast0().default(1).describe("p of the adaptive weight 1 / (error + ε)^p; 0 is the plain squared error"),
  epsilon: above0().default(0.01).describe("ε of the adaptive weight"),
  times: z
    .strictObject({
      sampler: z
        .enum(["ordered", "separate"])
        .default("ordered")
        .describe("ordered: two draws, the larger is t; separate: t and r each from its own, r at most t"),
      t: logitNormal(-0.4, 1, "the draw for t"),
      r: logitNormal(-0.4, 1, "the draw for r"),
    })
    .prefault({})
    .describe("where training looks: logit-normal times, 0 is data and 1 is noise"),
  guidance: z
    .strictObject({
      omega: above0().default(1).describe("ω: weight of the sample's own velocity"),
      kappa: z.number().min(0).lt(1).default(0).describe("κ: weight of the network's velocity under the label"),
      start: share().default(0).describe("guidance acts for t from here"),
      end: share().default(1).describe("guidance acts for t up to here"),
      labelDropout: z.number().min(0).lt(1).default(0.1).describe("probability that guided training hides a label"),
    })
    .prefault({})
    .describe("guidance in training, with effective scale ω / (1 − κ)"),
});

const flowMatching = z.strictObject({
  kind: z.literal("flow-matching").describe("velocities of straight paths, arXiv:2210.02747"),
  path: spelled(PATH_CHOICES, TRIG).default("linear").describe("from data to noise: linear, or trig"),
  times: z
    .strictObject({
      sampler: z.enum(["uniform", "logit-normal"]).default("logit-normal").describe("how t is drawn"),
      distribution: logitNormal(0, 1, "the draw for logit-normal times"),
    })
    .prefault({})
    .describe("where training looks: 0 is data and 1 is noise"),
  labelDropout: hiding(),
});

const ddpm = z.strictObject({
  kind: z.literal("ddpm").describe("diffusion that predicts noise, 1,000 steps, arXiv:2006.11239"),
  labelDropout: hiding(),
});

const edm = z.strictObject({
  kind: z.literal("edm").describe("diffusion with EDM's preconditioning, arXiv:2206.00364"),
  noise: z
    .strictObject({
      mean: z.number().default(-1.2).describe("mean of ln σ in training"),
      deviation: above0().default(1.2).describe("standard deviation of ln σ"),
    })
    .prefault({})
    .describe("noise levels of training"),
  labelDropout: hiding(),
});

const metric = (usual: "l2" | "pseudo_huber") =>
  z.enum(["l2", "l1", "pseudo_huber"]).default(usual).describe("distance between the two points of a pair");
const levelWeight = (usual: "uniform" | "inverse_gap") =>
  z
    .enum(["uniform", "karras", "inverse_gap"])
    .default(usual)
    .describe("weight of a level: 1, 1/σ² + 1/σ_d², or 1 / (σ_n − σ_{n+1})");
const curriculumSteps = () =>
  count().nullable().default(null).describe("steps over which the curriculum runs; null: all of train.steps");

const consistency = z.strictObject({
  kind: z.literal("consistency").describe("consistency training with a teacher's average, arXiv:2303.01469"),
  metric: metric("l2"),
  weight: levelWeight("uniform"),
  curriculum: z
    .strictObject({
      s0: count(2).default(2).describe("s₀: levels at the start"),
      s1: count(2).default(150).describe("s₁: levels at the end"),
      mu0: z.number().gt(0).lt(1).default(0.9).describe("μ₀: decay of the teacher's average at the start"),
      steps: curriculumSteps(),
    })
    .prefault({})
    .describe("how the number of noise levels grows"),
});

const improvedConsistency = z.strictObject({
  kind: z.literal("improved-consistency").describe("consistency training without a teacher, arXiv:2310.14189"),
  metric: metric("pseudo_huber"),
  weight: levelWeight("inverse_gap"),
  curriculum: z
    .strictObject({
      s0: count(2).default(10).describe("levels at the start"),
      s1: count(2).default(1280).describe("levels at the end; they double on the way"),
      steps: curriculumSteps(),
    })
    .prefault({})
    .describe("how the number of noise levels grows"),
  noise: z
    .strictObject({
      mean: z.number().default(-1.1).describe("mean of ln σ in training"),
      deviation: above0().default(2).describe("standard deviation of ln σ"),
    })
    .prefault({})
    .describe("which noise levels training looks at"),
});

const distillation = z.strictObject({
  kind: z.literal("consistency-distillation").describe("consistency with a trained EDM model, arXiv:2303.01469"),
  teacher: text().describe("folder of the EDM model or run that is distilled, relative to the working directory"),
  metric: metric("l2"),
  weight: levelWeight("uniform"),
  levels: count(2).default(18).describe("number of noise levels"),
  decay: z.number().min(0).lt(1).default(0.95).describe("decay of the average that gives the target"),
});

export const objectiveSchema = z
  .preprocess(
    withKind("soflow"),
    z.discriminatedUnion("kind", [
      soflow,
      meanflow,
      flowMatching,
      ddpm,
      edm,
      consistency,
      improvedConsistency,
      distillation,
    ]),
  )
  .prefault({ kind: "soflow" })
  .describe("what training minimises");

export type ObjectiveConfig = z.output<typeof objectiveSchema>;

/** What does not fit in an objective, with the field it is about; `steps` is the length of the run. */
export const objectiveProblem = (
  objective: ObjectiveConfig,
  steps: number,
): { readonly field: string; readonly text: string } | undefined => {
  switch (objective.kind) {
    case "soflow": {
      const { scale, labelDropout } = objective.guidance;
      if (scale === 1 || labelDropout > 0) return undefined;
      return {
        field: "guidance.labelDropout",
        text: `is 0; it must be above 0 when objective.guidance.scale, ${scale}, is not 1`,
      };
    }
    case "meanflow":
      return meanflowProblem(objective.guidance);
    case "consistency":
    case "improved-consistency": {
      const { curriculum } = objective;
      if (curriculum.s1 < curriculum.s0)
        return { field: "curriculum.s1", text: `is ${curriculum.s1}; it must be at least s0, ${curriculum.s0}` };
      if (curriculum.steps !== null && curriculum.steps > steps)
        return {
          field: "curriculum.steps",
          text: `is ${curriculum.steps}, longer than the run of ${steps} steps; it must be at most train.steps, or null`,
        };
      const problem =
        objective.kind === "improved-consistency"
          ? curriculumProblem({ ...curriculum, steps: curriculum.steps ?? steps })
          : undefined;
      return problem === undefined ? undefined : { field: "curriculum", text: `does not fit: ${problem}` };
    }
    default:
      return undefined;
  }
};

/** ω and κ must make an effective scale ω / (1 − κ) of at least 1. */
const meanflowProblem = ({ omega, kappa, start, end, labelDropout }: z.output<typeof meanflow>["guidance"]) => {
  if (omega + kappa < 1)
    return {
      field: "guidance.omega",
      text: `is ${omega} with kappa ${kappa}, an effective scale ω / (1 − κ) of ${Number((omega / (1 - kappa)).toPrecision(3))}; omega + kappa must be at least 1`,
    };
  if (start > end) return { field: "guidance.start", text: `is ${start}; it must be at most guidance.end, ${end}` };
  if ((omega !== 1 || kappa !== 0) && labelDropout === 0)
    return { field: "guidance.labelDropout", text: "is 0; guided training needs it above 0" };
  return undefined;
};
