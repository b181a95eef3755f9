import { z } from "zod";

const number = z.number();
/** A number that is not finite is null in JSON. */
const metric = number.nullish().transform((value) => value ?? undefined);
const metricsSchema = z.object({
  frechet: metric,
  accuracy: metric,
  slicedWasserstein: metric,
  energy: metric,
  exact: metric,
});

const cellSchema = z.object({
  evaluations: number,
  sampler: z.string(),
  steps: number,
  usual: z.boolean(),
  metrics: metricsSchema,
  sheet: z.string(),
});

/** What was measured of a run and is read back: `measured.json`. A metric of the curve that is not finite is null there. */
export const measuredSchema = z.object({
  identity: z.string(),
  cells: z.array(cellSchema),
  /** Absent while a run is still being measured. */
  curve: z.array(z.tuple([number, number.nullable().transform((value) => value ?? Number.NaN)])).optional(),
});

/** Numbers that a set of samples is measured by; smaller is better but for `accuracy`. */
export type Metrics = {
  /** Fréchet distance of features to those of the data. */
  readonly frechet?: number;
  /** Share of samples recognised as the label they were drawn for. */
  readonly accuracy?: number;
  /** Sliced Wasserstein distance to fresh data, and energy distance, for points. */
  readonly slicedWasserstein?: number;
  readonly energy?: number;
  /** For Gaussian data: 2-Wasserstein distance of the samples' mean and covariance to the true ones, in closed form. */
  readonly exact?: number;
};

/** One way to draw from one trained model, measured. */
export type Cell = {
  /** Network evaluations for each sample (NFE). */
  readonly evaluations: number;
  readonly sampler: string;
  readonly steps: number;
  /** Whether it is the method's usual sampler at this number of evaluations; the table shows those. */
  readonly usual: boolean;
  readonly metrics: Metrics;
  /** A sheet of samples, a data: URL. */
  readonly sheet: string;
};

/** One method trained from one seed. */
export type MethodResult = {
  /** The name it has in the comparison. */
  readonly name: string;
  /** The method, such as soflow. */
  readonly kind: string;
  readonly seed: number;
  readonly steps: number;
  /** Median over the run. */
  readonly secondsPerStep: number;
  readonly trainingSeconds: number;
  /** Largest resident memory of the process that trained, in bytes. */
  readonly peakMemory: number;
  readonly parameters: number;
  readonly cells: readonly Cell[];
  /** The main metric through training, at `curveEvaluations` evaluations and fewer samples. */
  readonly curve: readonly (readonly [step: number, value: number])[];
  readonly curveEvaluations: number;
  /** What training minimised, by step, thinned to a few hundred points. */
  readonly loss: readonly (readonly [step: number, value: number])[];
};

/** What a comparison found. `results.json` is this. */
export type Comparison = {
  readonly format: "soflow-comparison";
  readonly version: 1;
  readonly name: string;
  /** The command that makes it again. */
  readonly command: string;
  /** For people: "glyphs 16×16", "DiT width 128, depth 4, …", "2600 steps". */
  readonly data: string;
  readonly network: string;
  readonly budget: string;
  readonly batch: number;
  /** What the metrics are called: FD-<features> with the judge's hash, or the sliced Wasserstein distance. */
  readonly metric: {
    readonly key: "frechet" | "slicedWasserstein" | "exact";
    readonly label: string;
    readonly about: string;
  };
  /** Samples behind each number. */
  readonly samples: number;
  readonly curveSamples: number;
  /** What fresh data score under the same metric and number of samples: nothing can be expected to do better. */
  readonly floor: Metrics;
  /** Evaluations that the table has columns for. */
  readonly evaluations: readonly number[];
  readonly machine: {
    readonly processor: string;
    readonly threads: number;
    readonly node: string;
    readonly onnxruntime: string;
    readonly soflow: string;
  };
  readonly methods: readonly MethodResult[];
};
