import { basename, join } from "node:path";
import { sizeOf } from "../graph/dtype.js";
import { openRuntime, type Runtime } from "../runtime/index.js";
import { toYaml } from "../train/config/index.js";
import { removeLeftovers, writeFileAtomically } from "../train/files.js";
import { withFolder } from "../train/lock/index.js";
import { modelPaths, openNetwork, readDescription } from "../train/model.js";
import { writePng } from "../train/picture.js";
import type { RunProgress } from "../train/run.js";
import { runPaths } from "../train/runFolder.js";
import { describe, readTraining } from "./describe.js";
import { curveEvaluations, measureRun } from "./evaluate.js";
import { sheetMosaic } from "./mosaic.js";
import { htmlReport, markdownReport } from "./report/index.js";
import type { Comparison, MethodResult } from "./result.js";
import { type CompareConfig, compareSchema } from "./schema.js";
import { type Trained, trainMethod } from "./train.js";
import { openYardstick, type Yardstick } from "./yardstick.js";

export type CompareOptions = {
  readonly config: CompareConfig;
  /** What the report says of itself: the version, and the command that makes it again. */
  readonly version: string;
  readonly command?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: RunProgress) => void;
  readonly onNote?: (text: string) => void;
};

/** Files of a comparison beside its runs. */
export const comparisonPaths = (folder: string) => ({
  config: join(folder, "compare.yaml"),
  json: join(folder, "results.json"),
  html: join(folder, "results.html"),
  markdown: join(folder, "results.md"),
  picture: join(folder, "results.png"),
});

type Run = Trained & { readonly name: string };

/**
 * Trains every method from every seed, measures each, and writes results.json, .html, .md and .png. Called again
 * it goes on where it stopped, and trains only what is new. Undefined when it was stopped.
 */
export const runComparison = async (options: CompareOptions): Promise<Comparison | undefined> => {
  const { config } = options;
  return withFolder(config.out, options, async (signal) => {
    const names = Object.values(comparisonPaths(config.out)).map((path) => basename(path));
    await removeLeftovers(config.out, (name) => names.includes(name));
    const { name: _, ...sections } = config;
    await writeFileAtomically(comparisonPaths(config.out).config, toYaml(compareSchema, sections));
    try {
      const runs = await trainAll({ ...options, signal });
      return runs && (await measureAll({ ...options, signal }, runs));
    } catch (thrown) {
      if (signal.aborted && thrown === signal.reason) return undefined;
      throw thrown;
    }
  });
};

const trainAll = async ({ config, signal, onProgress, onNote }: CompareOptions): Promise<Run[] | undefined> => {
  const names = Object.keys(config.methods);
  const all = config.seeds.flatMap((seed) => names.map((name) => ({ seed, name })));
  const runs: Run[] = [];
  for (const [i, { seed, name }] of all.entries()) {
    onNote?.(`${i + 1} of ${all.length}: ${name}, seed ${seed}`);
    const trained = await trainMethod(config, name, seed, {
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
      onNote: (text) => onNote?.(`  ${text}`),
    });
    if (!trained || signal?.aborted) return undefined;
    runs.push({ ...trained, name });
  }
  return runs;
};

const measureAll = async (options: CompareOptions, runs: readonly Run[]): Promise<Comparison | undefined> => {
  const { config, onProgress, onNote, signal } = options;
  const runtime = await openRuntime(config.threads ? { threads: config.threads } : {});
  try {
    onNote?.("measuring");
    const yardstick = await openYardstick(config, runtime, {
      ...(signal && { signal }),
      onProgress: (step, values) => onProgress?.({ step, steps: config.judge.steps, values }),
    });
    const methods: MethodResult[] = [];
    for (const run of runs) {
      if (signal?.aborted) return undefined;
      onNote?.(`  ${run.name}, seed ${run.config.seed}`);
      methods.push(await resultOf(options, run, runtime, yardstick));
    }
    const comparison = await describe(options, runtime, yardstick, methods);
    yardstick.release();
    await writeReports(config.out, comparison);
    return comparison;
  } finally {
    await runtime.close();
  }
};

const resultOf = async (
  { config, onProgress, signal }: CompareOptions,
  { name, config: own, peakMemory }: Run,
  runtime: Runtime,
  yardstick: Yardstick,
): Promise<MethodResult> => {
  const { cells, curve } = await measureRun(own, {
    runtime,
    yardstick,
    settings: config.evaluation,
    ...(signal && { signal }),
    onProgress: (step, steps) => onProgress?.({ step, steps, values: {} }),
  });
  const { kind } = own.objective;
  const { network } = await readDescription(modelPaths(runPaths(own.out).model).config);
  return {
    name,
    kind,
    seed: own.seed,
    steps: own.train.steps,
    ...(await readTraining(own.out)),
    peakMemory,
    parameters: openNetwork(network).parameters.reduce((sum, { tensor }) => sum + sizeOf(tensor.shape), 0),
    cells,
    curve,
    curveEvaluations: curveEvaluations(kind),
  };
};

const writeReports = async (folder: string, comparison: Comparison): Promise<void> => {
  const paths = comparisonPaths(folder);
  await writeFileAtomically(paths.json, `${JSON.stringify(comparison, null, 1)}\n`);
  await writeFileAtomically(paths.markdown, markdownReport(comparison));
  await writeFileAtomically(paths.html, htmlReport(comparison));
  await writePng(paths.picture, await sheetMosaic(comparison));
};
