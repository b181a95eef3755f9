import { UserError } from "../../errors.js";
import { frechetDistance, type GaussianMoments, momentsOf, type Products } from "../../eval/index.js";
import { toBytes } from "../../formats/grid.js";
import { channelsLast } from "../../formats/planes.js";
import type { Runtime } from "../../runtime/index.js";
import type { Config } from "../config/index.js";
import type { Generated } from "../generate.js";
import { shareCorrect } from "../judge.js";
import type { ModelDescription } from "../model.js";
import { BLOCK, extractAll } from "./blocks.js";
import type { FeatureExtractor } from "./extractor.js";
import { metricName } from "./figures.js";
import { datasetImages } from "./imageSet.js";
import { openExtractor, openImages } from "./open.js";
import { blockProducts, type EngineProducts } from "./products.js";
import { readStatistics, referenceFeatures } from "./reference.js";

/** Says how far samples of a model in training are from data. */
export type Evaluator = {
  /** Figures of samples [n C H W] in about [−1, 1], by name: the Fréchet distance, and how many labels are recognised. */
  readonly figures: (samples: Pick<Generated, "images" | "labels">) => Promise<Readonly<Record<string, number>>>;
  readonly release: () => void;
};

export type EvaluatorOptions = {
  readonly onNote?: ((text: string) => void) | undefined;
  /** When aborted while features of the reference are computed, the block in progress is kept and its reason thrown. */
  readonly signal?: AbortSignal | undefined;
};

type Engine = { readonly dimensions: number; readonly images: Products };

/** The moments of what samples are compared with: as stated by a file, or of all its images. */
const openMoments = async (
  { data, evaluation: { reference, cache } }: Config,
  extractor: FeatureExtractor,
  engine: Engine,
  { onNote, signal }: EvaluatorOptions,
): Promise<GaussianMoments> => {
  const known =
    reference !== null && /\.npz$/i.test(reference) ? await readStatistics(reference, extractor) : undefined;
  if (known) return known.moments;
  const set = await (reference === null ? datasetImages(data) : openImages(reference, extractor));
  try {
    onNote?.(`evaluation: the features of ${set.length} images of ${set.name}, kept in ${cache}`);
    const listeners = { ...(onNote && { onNote }), ...(signal && { signal }) };
    const { gathered } = await referenceFeatures(set, extractor, { cache, pairs: 0, ...engine, ...listeners });
    const { mean, covariance } = gathered.moments;
    return { dimensions: engine.dimensions, mean, covariance };
  } finally {
    await set.close();
  }
};

/** Numbers in a feature of images of a size. Throws a `UserError` where the features are of others. */
const dimensionsOf = async (extractor: FeatureExtractor, size: number): Promise<number> => {
  if (extractor.size !== undefined && extractor.size !== size)
    throw new UserError(
      `evaluation: the model draws ${size}×${size} images; ${extractor.name} takes ${extractor.size}×${extractor.size}`,
    );
  return (await extractor.extract(new Uint8Array(size * size * 3), 1, size)).pool.length;
};

/** Opens what a configuration's `evaluation` section names. Throws a `UserError` where that is not there or does not fit. */
export const openEvaluator = async (
  runtime: Runtime,
  config: Config,
  { network: { channels, imageSize: size }, classes }: ModelDescription,
  options: EvaluatorOptions = {},
): Promise<Evaluator> => {
  const extractor = await openExtractor(runtime, config.evaluation.features);
  let images: EngineProducts | undefined;
  const release = (): void => {
    images?.release();
    extractor.release();
  };
  try {
    const dimensions = await dimensionsOf(extractor, size);
    const products = await blockProducts(runtime, dimensions);
    images = products;
    const reference = await openMoments(config, extractor, { dimensions, images: products }, options);
    return {
      figures: async ({ images: drawn, labels }) => {
        const n = labels.length;
        const { pool, found } = await extractAll(extractor, channelsLast(toBytes(drawn), n, channels, size), n, size);
        const moments = await momentsOf({ data: pool, dimensions }, BLOCK, products);
        const figures = { [metricName(extractor)]: frechetDistance(moments, reference) };
        const judged = found.length > 0 && classes.length > 0;
        return judged ? { ...figures, accuracy: shareCorrect(found, labels) } : figures;
      },
      release,
    };
  } catch (thrown) {
    release();
    throw thrown;
  }
};
