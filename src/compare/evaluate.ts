import { join } from "node:path";
import sharp from "sharp";
import { sizeOf } from "../graph/dtype.js";
import { methodOf, type SamplerChoice } from "../methods/index.js";
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
  kind: string,
  { evaluations, longest, alternatives }: CompareConfig["evaluation"],
): Choice[] => {
  const { samplers } = methodOf(kind);
  const at = evaluations.flatMap((n) =>
    samplers
      .at(n)
      .slice(0, alternatives && n <= FEW ? undefined : 1)
      .map((choice, i) => ({ ...choice, usual: i === 0 })),
  );
  const last = samplers.long?.(longest);
  return last ? [...at, { ...last, usual: false }] : at;
};

/** What was measured of a run, as kept in its folder; without a curve where it was stopped before the end. */
type Kept = { readonly identity: string; readonly cells: readonly Cell[]; readonly curve?: MethodResult["curve"] };
type Measured = Required<Omit<Kept, "identity">>;

type Work = {
  readonly runtime: Runtime;
  readonly yardstick: Yardstick;
  readonly settings: CompareConfig["evaluation"];
  /** When aborted, measuring throws its reason after the measurement in progress. */
  readonly signal?: AbortSignal;
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
export const curveEvaluations = (kind: string): number => (methodOf(kind).samplers.long ? FEW : 1);

const curveOf = async (config: Config, kind: string, work: Work, tick: (what: string) => void) => {
  const { checkpoints } = runPaths(config.out);
  const choice = methodOf(kind).samplers.at(curveEvaluations(kind))[0]!;
  const points: (readonly [number, number])[] = [];
  for (const step of await listCheckpoints(checkpoints)) {
    const source = checkpointPaths(checkpoints, step).tensors;
    const { metrics } = await measureOne(source, choice, work.settings.curveSamples, work);
    points.push([step, metrics[work.yardstick.metric.key] ?? Number.NaN]);
    tick(`step ${step}`);
  }
  return points;
};

/** The measurements of this identity that a run folder holds. */
const readKept = async (path: string, identity: string): Promise<Omit<Kept, "identity">> => {
  const known = await readJson(measuredSchema, path, "; delete it to have this run measured again");
  return known?.identity === identity ? known : { cells: [] };
};

/** Measures a trained run, each sampler once: what its folder holds already is not measured again. */
export const measureRun = async (config: Config, work: Work): Promise<Measured> => {
  const { kind } = config.objective;
  const path = join(config.out, "measured.json");
  const identity = JSON.stringify([work.yardstick.identity, work.settings]);
  const keep = (found: Omit<Kept, "identity">) => writeFileAtomically(path, JSON.stringify({ identity, ...found }));
  const kept = await readKept(path, identity);
  if (kept.curve) return { cells: kept.cells, curve: kept.curve };
  const choices = choicesFor(kind, work.settings);
  const cells = [...kept.cells];
  const of = choices.length + work.settings.curvePoints;
  let done = cells.length;
  const tick = (what: string): void => {
    work.onProgress(++done, of, what);
    work.signal?.throwIfAborted();
  };
  for (const choice of choices.slice(cells.length)) {
    cells.push(await cellOf(runPaths(config.out).model, choice, work));
    await keep({ cells });
    tick(`${choice.sampler} ${choice.steps}`);
  }
  const curve = await curveOf(config, kind, work, tick);
  await keep({ cells, curve });
  return { cells, curve };
};
