import { drawPoints, GAUSSIAN, openDataset } from "../data/index.js";
import { diagonalGaussian, energyDistance, frechetDistance, Moments, slicedWasserstein } from "../eval/index.js";
import type { Runtime } from "../runtime/index.js";
import type { DataConfig } from "../train/config/index.js";
import { Judge, type JudgeOptions, shareCorrect, takeSamples } from "../train/judge.js";
import type { Comparison, Metrics } from "./result.js";
import type { CompareConfig } from "./schema.js";

/** What samples are measured by: made once for a comparison, the same for every method. */
export type Yardstick = {
  readonly metric: Comparison["metric"];
  /** Changes whenever the same samples would get other numbers. */
  readonly identity: string;
  readonly measure: (samples: Float32Array<ArrayBuffer>, labels: readonly number[]) => Promise<Metrics>;
  /** What fresh data score. */
  readonly floor: (samples: number) => Promise<Metrics>;
  readonly release: () => void;
};

const EXACT = {
  key: "exact",
  label: "exact W2 error",
  about: "2-Wasserstein distance of the samples' mean and covariance to the true ones, in closed form",
} as const;
const PROJECTIONS = 256;
/** Energy distances are sums over pairs: of this many points at most. */
const ENERGY_POINTS = 4000;

type Points = Extract<DataConfig, { kind: "points" }>;

/** √FD of the samples' moments to the Gaussian that the data are from: its part of W₂ that is known in closed form. */
const exactError = (samples: Float32Array): number =>
  Math.sqrt(frechetDistance(new Moments(2).add(samples), diagonalGaussian(GAUSSIAN.mean, GAUSSIAN.deviation)));

/** Distances to fresh points, as many as there are samples, from a seed that no run uses. */
const forPoints = ({ name }: Points): Yardstick => {
  const measure = async (samples: Float32Array<ArrayBuffer>): Promise<Metrics> => {
    const fresh = drawPoints(name, 0, "test", samples.length / 2);
    const few = 2 * ENERGY_POINTS;
    return {
      slicedWasserstein: slicedWasserstein(samples, fresh, { dimensions: 2, projections: PROJECTIONS, seed: 0 }),
      energy: energyDistance(samples.subarray(0, few), fresh.subarray(0, few), 2),
      ...(name === "gaussian" && { exact: exactError(samples) }),
    };
  };
  return {
    metric:
      name === "gaussian"
        ? EXACT
        : {
            key: "slicedWasserstein",
            label: "sliced Wasserstein",
            about: `sliced 2-Wasserstein distance to fresh ${name} points, ${PROJECTIONS} projections`,
          },
    identity: `points ${name} ${PROJECTIONS}`,
    measure,
    floor: (samples) => measure(drawPoints(name, 1, "test", samples)),
    release: () => {},
  };
};

type Listeners = Pick<JudgeOptions, "onProgress" | "signal">;

/** The classifier of a comparison: the one in its folder, or a new one. */
const openJudge = async (config: CompareConfig, runtime: Runtime, listeners: Listeners) => {
  const folder = `${config.out}/judge`;
  const known = await Judge.load(runtime, folder);
  if (known) return known;
  const { patch, width, depth, heads, ...options } = config.judge;
  const dataset = await openDataset(config.data, 0);
  const network = { patch: patch ?? dataset.shape.height / 4, width, depth, heads };
  const { flip } = config.data;
  const judge = await Judge.train(runtime, dataset, {
    ...options,
    seed: 0,
    flip,
    network,
    ...listeners,
  });
  await dataset.close();
  await judge.save(folder);
  return judge;
};

/** Fréchet distance on a classifier's features, and label accuracy by the same classifier. */
const forImages = async (config: CompareConfig, runtime: Runtime, listeners: Listeners): Promise<Yardstick> => {
  const judge = await openJudge(config, runtime, listeners);
  const { samples } = config.evaluation;
  const train = await openDataset(config.data, 0);
  const count = Math.min(Math.floor(train.length / 2), samples);
  const reference = await momentsOf(judge, (await takeSamples(train, count)).images);
  await train.close();
  const labelled = train.classes.length > 1;
  const measure = async (images: Float32Array<ArrayBuffer>, labels: readonly number[]): Promise<Metrics> => {
    const { labels: found, features } = await judge.judge(images);
    const frechet = frechetDistance(new Moments(judge.dimensions).add(features), reference);
    return labelled ? { frechet, accuracy: shareCorrect(found, labels) } : { frechet };
  };
  return {
    metric: {
      key: "frechet",
      label: `FD-${config.name.replace(/^compare-/, "")}-classifier-${judge.hash}`,
      about: `Fréchet distance on the ${judge.dimensions} features of a classifier trained here on the same data, against ${count} training images`,
    },
    identity: `judge ${judge.hash} against ${count}`,
    measure,
    floor: (n) => freshData(config, n, measure),
    release: () => judge.release(),
  };
};

const momentsOf = async (judge: Judge, images: Float32Array<ArrayBuffer>): Promise<Moments> =>
  new Moments(judge.dimensions).add((await judge.judge(images)).features);

/** Images that the reference does not hold: newly drawn ones where there is a test split, else others of the data. */
const freshData = async ({ data }: CompareConfig, n: number, measure: Yardstick["measure"]): Promise<Metrics> => {
  const dataset = await openDataset(data, 0, "test");
  try {
    const { images, labels } = await takeSamples(dataset, Math.min(n, Math.floor(dataset.length / 2)), 1);
    return await measure(images, labels);
  } finally {
    await dataset.close();
  }
};

/** What the data of a comparison are measured by. */
export const openYardstick = async (
  config: CompareConfig,
  runtime: Runtime,
  listeners: Listeners = {},
): Promise<Yardstick> =>
  config.data.kind === "points" ? forPoints(config.data) : forImages(config, runtime, listeners);
