import { join } from "node:path";
import sharp from "sharp";
import { sizeOf } from "../graph/dtype.js";
import { longestSampler, type MethodKind, type SamplerChoice, samplersAt } from "../methods/index.js";
import type { Runtime } from "../runtime/index.js";
import { checkpointPaths, listCheckpoints } from "../train/checkpoint.js";
import type { Config } from "../train/config/index.js";
import { writeFileAtomically } from "../train/files.js";
import { collect, Generator, readWeights } from "../train/generate.js";
import { sheetOf } from "../train/picture.js";
import { readJson } from "../train/readJson.js";
import { runPaths } from "../train/runFolder.js";
import { openSource } from "../train/source.js";
import { type Cell, type MethodResult, measuredSchema } from "./result.js";
import type { CompareConfig } from "./schema.js";
import type { Yardstick } from "./yardstick.js";

/** Samples per network evaluation. */
const BATCH = 256;
const BATCH_POINTS = 2048;
/** Samples on a sheet of the report. */
const SHEET = 36;
const SEED = 1234;
/** Alternatives to the usual sampler are measured up to this many evaluations. */
const FEW = 8;

type Choice = SamplerChoice & { readonly usual: boolean };

/** The ways to draw from a method that a comparison measures. */
export const choicesFor = (
  kind: MethodKind,
  { evaluations, longest, alternatives }: CompareConfig["evaluation"],
): Choice[] => {
  const at = evaluations.flatMap((n) =>
    samplersAt(kind, n)
      .slice(0, alternatives && n <= FEW ? undefined : 1)
      .map((choice, i) => ({ ...choice, usual: i === 0 })),
  );
  const last = longestSampler(kind, longest);
  return last ? [...at, { ...last, usual: false }] : at;
};

/** What was measured of a run, as kept in its folder. */
type Measured = { readonly identity: string; readonly cells: readonly Cell[]; readonly curve: MethodResult["curve"] };

type Work = {
  readonly runtime: Runtime;
  readonly yardstick: Yardstick;
  readonly settings: CompareConfig["evaluation"];
  readonly onProgress: (done: number, of: number, what: string) => void;
};

/** Draws from a run, or from one of its checkpoints, and measures. */
const measureOne = async (source: string, choice: SamplerChoice, count: number, { runtime, yardstick }: Work) => {
  const { description, file, prefix } = await openSource(source, "ema", "compare");
  const points = description.network.imageSize === 1;
  const batch = Math.min(count, points ? BATCH_POINTS : BATCH);
  const weights = await readWeights(description, (name) => file.read(prefix + name));
  await file.close();
  const generator = await Generator.create(runtime, description, { batch, ...choice }, weights);
  try {
    const labels = description.classes.map((_, i) => i);
    const drawn = await collect(generator.generate({ count, labels, seed: SEED }));
    const metrics = await yardstick.measure(drawn.images, drawn.labels);
    return { ...drawn, metrics, network: description.network };
  } finally {
    await generator.release();
  }
};

/** A sheet of the first samples (all points) as a data: URL. */
const sheetUrl = async (
  images: Float32Array,
  network: { readonly channels: number; readonly imageSize: number },
): Promise<string> => {
  const size = sizeOf([network.channels, network.imageSize, network.imageSize]);
  const count = Math.min(images.length / size, network.imageSize === 1 ? 20_000 : SHEET);
  const { width, height, rgb } = sheetOf(images.subarray(0, count * size), { count, ...network }, { margin: 1 });
  const bytes = await sharp(rgb, { raw: { width, height, channels: 3 } })
    .webp({ quality: 90, effort: 6 })
    .toBuffer();
  return `data:image/webp;base64,${bytes.toString("base64")}`;
};

const cellOf = async (folder: string, { usual, ...choice }: Choice, work: Work): Promise<Cell> => {
  const { images, evaluations, metrics, network } = await measureOne(folder, choice, work.settings.samples, work);
  return { evaluations, ...choice, usual, metrics, sheet: await sheetUrl(images, network) };
};

/** Evaluations at which a method's quality is followed through training: one where it is made for that. */
export const curveEvaluations = (kind: MethodKind): number => (longestSampler(kind, 64) ? FEW : 1);

const curveOf = async (config: Config, kind: MethodKind, work: Work, tick: (what: string) => void) => {
  const { checkpoints } = runPaths(config.out);
  const choice = samplersAt(kind, curveEvaluations(kind))[0]!;
  const points: (readonly [number, number])[] = [];
  for (const step of await listCheckpoints(checkpoints)) {
    const source = checkpointPaths(checkpoints, step).tensors;
    const { metrics } = await measureOne(source, choice, work.settings.curveSamples, work);
    points.push([step, metrics[work.yardstick.metric.key] ?? Number.NaN]);
    tick(`step ${step}`);
  }
  return points;
};

/** Measures a trained run, unless its folder holds the same measurement already. */
export const measureRun = async (config: Config, work: Work): Promise<Omit<Measured, "identity">> => {
  const { kind } = config.objective;
  const path = join(config.out, "measured.json");
  const identity = JSON.stringify([work.yardstick.identity, work.settings]);
  const known = await readJson(measuredSchema, path, `; delete it to have ${config.out} measured again`);
  if (known?.identity === identity) return known;
  const choices = choicesFor(kind, work.settings);
  const cells: Cell[] = [];
  const of = choices.length + work.settings.curvePoints;
  let done = 0;
  const tick = (what: string): void => work.onProgress(++done, of, what);
  for (const choice of choices) {
    cells.push(await cellOf(runPaths(config.out).model, choice, work));
    tick(`${choice.sampler} ${choice.steps}`);
  }
  const curve = await curveOf(config, kind, work, tick);
  await writeFileAtomically(path, JSON.stringify({ identity, cells, curve } satisfies Measured));
  return { cells, curve };
};
