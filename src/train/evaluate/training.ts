import { type Features, frechetDistance, type GaussianMoments, Moments } from "../../eval/index.js";
import { toBytes } from "../../formats/grid.js";
import { channelsLast } from "../../formats/planes.js";
import type { Runtime } from "../../runtime/index.js";
import type { Config } from "../config/index.js";
import type { Generated } from "../generate.js";
import { shareCorrect } from "../judge.js";
import type { ModelDescription } from "../model.js";
import { extractAll } from "./blocks.js";
import type { FeatureExtractor } from "./extractor.js";
import { metricName } from "./figures.js";
import { datasetImages } from "./imageSet.js";
import { openExtractor, openImages } from "./open.js";
import { readStatistics, referenceFeatures } from "./reference.js";

/** Says how far samples of a model in training are from data. */
export type Evaluator = {
  /** Figures of samples [n C H W] in about [−1, 1], by name: the Fréchet distance, and how many labels are recognised. */
  readonly figures: (samples: Pick<Generated, "images" | "labels">) => Promise<Readonly<Record<string, number>>>;
  readonly release: () => void;
};

/** The moments of what samples are compared with: as stated by a file, or of all its images. */
const openMoments = async (
  { data, evaluation: { reference, cache } }: Config,
  extractor: FeatureExtractor,
  onNote: (text: string) => void,
): Promise<GaussianMoments> => {
  const known =
    reference !== null && /\.npz$/i.test(reference) ? await readStatistics(reference, extractor) : undefined;
  if (known) return known.moments;
  const set = await (reference === null ? datasetImages(data) : openImages(reference, extractor));
  try {
    const { pixels } = await set.read(0, 1);
    const { pool } = await extractor.extract(pixels, 1, set.size);
    onNote(`evaluation: the features of ${set.length} images of ${set.name}, kept in ${cache}`);
    const settings = { cache, dimensions: pool.length, pairs: 0 };
    const { mean, covariance } = (await referenceFeatures(set, extractor, settings)).gathered.moments;
    return { dimensions: pool.length, mean, covariance };
  } finally {
    await set.close();
  }
};

const momentsOf = ({ data, dimensions }: Features): Moments => new Moments(dimensions).add(data);

/** Opens what a configuration's `evaluation` section names. Throws a `UserError` where that is not there or does not fit. */
export const openEvaluator = async (
  runtime: Runtime,
  config: Config,
  { network: { channels, imageSize: size }, classes }: ModelDescription,
  onNote: (text: string) => void = () => {},
): Promise<Evaluator> => {
  const extractor = await openExtractor(runtime, config.evaluation.features);
  try {
    const reference = await openMoments(config, extractor, onNote);
    return {
      figures: async ({ images, labels }) => {
        const n = labels.length;
        const pixels = channelsLast(toBytes(images), n, channels, size);
        const { pool, found } = await extractAll(extractor, pixels, n, size);
        const frechet = frechetDistance(momentsOf({ data: pool, dimensions: pool.length / n }), reference);
        const figures = { [metricName(extractor)]: frechet };
        const judged = found.length > 0 && classes.length > 0;
        return judged ? { ...figures, accuracy: shareCorrect(found, labels) } : figures;
      },
      release: extractor.release,
    };
  } catch (thrown) {
    extractor.release();
    throw thrown;
  }
};
