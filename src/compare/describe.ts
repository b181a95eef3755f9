import { readFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { quantile, type Runtime } from "../runtime/index.js";
import type { Comparison, MethodResult } from "./result.js";
import type { CompareConfig } from "./schema.js";
import type { Yardstick } from "./yardstick.js";

type Line = { readonly step: number; readonly loss: number; readonly steps_per_second: number };

/** Speed, time and loss of a run from its metrics; pauses between stopping and going on are not counted. */
export const readTraining = async (folder: string) => {
  const text = await readFile(join(folder, "metrics.jsonl"), "utf8");
  const lines = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
  const seconds = lines.map(({ steps_per_second }) => 1 / steps_per_second);
  const stepsOf = (i: number): number => lines[i]!.step - (lines[i - 1]?.step ?? 0);
  return {
    secondsPerStep: quantile(seconds, 0.5),
    trainingSeconds: seconds.reduce((sum, each, i) => sum + each * stepsOf(i), 0),
    loss: lines.map(({ step, loss }) => [step, loss] as const),
  };
};

/** Everything that a report says beside the methods' results. */
export const describe = async (
  {
    config,
    version,
    command = `soflow compare --config ${config.name}`,
  }: { config: CompareConfig; version: string; command?: string },
  runtime: Runtime,
  { metric, floor }: Yardstick,
  methods: readonly MethodResult[],
): Promise<Comparison> => {
  const { data, model, batch, budget, evaluation } = config;
  const side = "size" in data ? ` ${data.size}×${data.size}` : "";
  return {
    format: "soflow-comparison",
    version: 1,
    name: config.name,
    command,
    data: data.kind === "points" ? `${data.name} points` : `${data.kind}${side}`,
    network: Object.entries(model)
      .map(([key, value]) => `${key} ${value}`)
      .join(", "),
    budget: budget.steps === undefined ? `${budget.seconds} s of training` : `${budget.steps} steps`,
    batch,
    metric,
    samples: evaluation.samples,
    curveSamples: evaluation.curveSamples,
    floor: await floor(evaluation.samples),
    evaluations: evaluation.evaluations,
    machine: {
      processor: cpus()[0]?.model ?? "unknown",
      threads: runtime.threads,
      node: process.version,
      onnxruntime: runtime.version,
      soflow: version,
    },
    methods,
  };
};
