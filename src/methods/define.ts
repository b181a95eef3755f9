import { z } from "zod";
import type { Problem } from "../fields.js";
import type { HostArray } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";
import type { GuidedSamples, Loss } from "../objectives/index.js";
import type { Conditions, Network, OneTimeNetwork, PathName } from "../paths/index.js";
import type { Readings, SamplerName } from "../samplers/index.js";
import { type BatchShape, type RawBatch, sampleInputs, sampleValues } from "./batch.js";
import { type Draw, type DrawContext, type Draws, drawInputs, drawValues, StepKeys } from "./draws.js";

/** The networks that a loss is built on, and whether they are conditioned on labels. */
export type Networks = {
  /** The network that learns. */
  readonly network: Network;
  /** The target network: the same with a slow average of the weights, for a method that has one. */
  readonly target: Network;
  /** The denoiser of the trained model that is distilled, for a method that has a teacher. */
  readonly teacher: OneTimeNetwork | undefined;
  readonly conditional: boolean;
};

/** A sampler by name and its number of steps. */
export type SamplerChoice = { readonly sampler: SamplerName; readonly steps: number };

/** Which samplers suit a method. */
export type MethodSamplers = {
  /** How samples are taken where nothing is said. */
  readonly usual: SamplerChoice;
  /** Samplers that spend exactly n network evaluations on a sample, the usual one first. */
  readonly at: (n: number) => readonly SamplerChoice[];
  /** For a method of many steps: its best sampler with about n evaluations. */
  readonly long?: (n: number) => SamplerChoice;
};

/** A trained network as `outputs` sees it. */
export type TrainedNetwork = {
  readonly network: Network;
  readonly c: Conditions;
  /** A network of one time under its conditions, with classifier-free guidance where it was asked for. */
  readonly guided: (network: OneTimeNetwork) => (x: Tensor, t: Tensor) => Tensor;
};

/** Settings of a method by name; `kind` says which. */
export type MethodSettings = { readonly kind: string };
/**
 * What sampling must know of the settings that a network was trained with; kept in the model's config.json. `path` is
 * the noising path of a method with a solution function.
 */
export type TrainedMethod = {
  readonly kind: string;
  readonly path?: PathName;
  readonly [setting: string]: string | number | boolean | undefined;
};

type Batch<D extends Draws> = GuidedSamples & { readonly [K in keyof D]: Tensor };

/**
 * A method: an objective and all that training and sampling need to know of it. S: its settings; K: those that sampling
 * reads; D: its random inputs.
 */
export type MethodSpec<S extends MethodSettings, K extends keyof S, D extends Draws> = {
  readonly kind: S["kind"];
  /** For people, in the middle of a sentence. */
  readonly name: string;
  readonly paper: string;
  /** A tag of the model card, as the hub has it. */
  readonly tag: string;
  readonly schema: z.ZodObject & z.ZodType<S>;
  /** What does not fit between settings, or with a run of this many steps. */
  readonly problem?: (settings: S, steps: number) => Problem | undefined;
  /** Times that the network is conditioned on: t and s, or t alone. */
  readonly times: 1 | 2;
  /** Probability that training drops a label; above 0 the network has a null label. */
  readonly labelDropout?: (settings: S) => number;
  /** Whether labels are dropped at all under these settings; by default wherever `labelDropout` is above 0. */
  readonly dropsLabels?: (settings: S) => boolean;
  /** Fraction of a batch, its first samples, that takes the first of two losses; absent: all samples are alike. */
  readonly firstFraction?: (settings: S) => number;
  /** Random inputs of the loss: names, shapes, distributions. The loss receives exactly these beside the samples. */
  readonly draws: (settings: S) => D;
  readonly loss: (settings: S, networks: Networks) => (batch: Batch<D>) => Loss;
  /** Decay at step k (the first is 1) of `steps` of the target network's weights, for a method that has one. */
  readonly targetDecay?: (settings: S, k: number, steps: number) => number;
  /** Folder of the trained model that is distilled. */
  readonly teacher?: (settings: S) => string;
  /** Settings that a trained model must keep, beside `kind`: those that `outputs` reads. */
  readonly kept: readonly K[];
  /** What samplers can ask of a trained network. */
  readonly outputs: (trained: Pick<S, "kind" | K>, network: TrainedNetwork) => Readings;
  /** Whether sampling itself can be guided; else the error says where guidance belongs, if anywhere. */
  readonly guidance: "in sampling" | "in training" | "none";
  readonly samplers: MethodSamplers;
};

/** A method with settings, as training sees it. */
export type OpenMethod = {
  readonly times: 1 | 2;
  readonly labelDropout: number;
  readonly firstFraction: number | undefined;
  /** The loss as a function of program inputs, which `draws` fills by name. */
  readonly loss: (networks: Omit<Networks, "conditional">, shape: BatchShape) => Loss;
  /** All random draws of one step, by program input. */
  readonly draws: (batch: RawBatch, context: DrawContext) => Record<string, HostArray>;
  readonly targetDecay: ((k: number, steps: number) => number) | undefined;
  readonly teacher: string | undefined;
  readonly trained: TrainedMethod;
};

/** A method without the types of its own settings, as everything that knows it by name sees it. */
export type Method = Pick<
  MethodSpec<MethodSettings, never, Draws>,
  "kind" | "name" | "paper" | "tag" | "schema" | "problem" | "outputs" | "guidance" | "samplers"
> & {
  /** What a model's description holds of the settings. */
  readonly trainedSchema: z.ZodType<TrainedMethod>;
  readonly open: (settings: MethodSettings) => OpenMethod;
};

/** The fields of a schema that a model's description holds, none of which may be left out there. */
const required = ({ shape }: z.ZodObject, names: readonly string[]): z.ZodObject =>
  z.object(
    Object.fromEntries(
      names.map((name) => {
        const field = shape[name];
        return [name, field instanceof z.ZodDefault ? field.unwrap() : field];
      }),
    ) as z.ZodRawShape,
  );

/**
 * Defines a method. Settings come from its schema, so what is written for S is only ever given S.
 */
export const defineMethod = <S extends MethodSettings, K extends keyof S, D extends Record<string, Draw>>(
  spec: MethodSpec<S, K, D>,
): Method => {
  const { kind, name, paper, tag, schema, problem, outputs, guidance, samplers } = spec as unknown as MethodSpec<
    MethodSettings,
    never,
    Draws
  >;
  const trainedSchema = required(schema, ["kind", ...spec.kept.map(String)]) as unknown as z.ZodType<TrainedMethod>;
  const described = { kind, name, paper, tag, schema, outputs, guidance, samplers, trainedSchema };
  return { ...described, ...(problem && { problem }), open: opener(spec) };
};

const opener =
  <S extends MethodSettings, K extends keyof S, D extends Draws>(spec: MethodSpec<S, K, D>) =>
  (given: MethodSettings): OpenMethod => {
    const settings = given as S;
    const draws = spec.draws(settings);
    const labelDropout = spec.labelDropout?.(settings) ?? 0;
    const dropout = (spec.dropsLabels?.(settings) ?? true) ? labelDropout : 0;
    const { targetDecay } = spec;
    const kept = ["kind", ...spec.kept].map((name) => [name, settings[name as keyof S]]);
    return {
      times: spec.times,
      labelDropout,
      firstFraction: spec.firstFraction?.(settings),
      loss: (networks, shape) =>
        spec.loss(settings, { ...networks, conditional: shape.classes > 0 })({
          ...sampleInputs(shape),
          ...drawInputs(draws, shape.batch, shape.sample.length + 1),
        }),
      draws: (batch, context) => {
        const keys = new StepKeys(context);
        return { ...sampleValues(batch, keys, context, dropout), ...drawValues(draws, keys, batch.indices, context) };
      },
      targetDecay: targetDecay && ((k, steps) => targetDecay(settings, k, steps)),
      teacher: spec.teacher?.(settings),
      trained: Object.fromEntries(kept) as TrainedMethod,
    };
  };
