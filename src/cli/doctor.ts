import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import { Command } from "commander";
import { messageOf } from "../errors.js";
import type { Runtime } from "../runtime/index.js";
import { FailedCheck } from "./errors.js";
import { packageVersion } from "./version.js";

/** A runtime, and what its opening has to tell. */
export type Opened = {
  readonly runtime: Runtime;
  /** Execution providers that this build of ONNX Runtime offers. */
  readonly providers?: readonly string[];
  /** Why the preferred runtime was not opened, where this is another one. */
  readonly fallback?: string;
};

/** What doctor needs of the engine; passed in, so that it can tell of a machine where the engine does not open. */
export type Engine = {
  readonly openRuntime: () => Promise<Opened>;
  /** Median rate of matrix products and half the range between its quartiles, in GFLOP/s. */
  readonly matmulRate: (runtime: Runtime) => Promise<{ readonly gflops: number; readonly spread: number }>;
};

type EngineReport =
  | ({
      readonly name: string;
      readonly onnxruntime: string;
      readonly threads: number;
      readonly gflops: number;
      readonly spread: number;
    } & Pick<Opened, "providers" | "fallback">)
  | { readonly failure: string };

export type Report = {
  readonly soflow: string;
  readonly node: string;
  /** For example linux-x64. */
  readonly platform: string;
  readonly processor: string;
  /** Cores that this process may use. */
  readonly cores: number;
  /** Bytes of memory in the machine, and of those the free ones. */
  readonly memoryTotal: number;
  readonly memoryFree: number;
  readonly runtime: EngineReport;
};

const measure = async ({ runtime, ...told }: Opened, { matmulRate }: Engine): Promise<EngineReport> => {
  try {
    const { name, version: onnxruntime, threads } = runtime;
    const { gflops, spread } = await matmulRate(runtime);
    return { name, onnxruntime, threads, ...told, gflops, spread };
  } finally {
    await runtime.close();
  }
};

const probe = async (engine: Engine): Promise<EngineReport> => {
  try {
    return await measure(await engine.openRuntime(), engine);
  } catch (thrown) {
    return { failure: messageOf(thrown) };
  }
};

/** Looks at this machine; opens a runtime and measures it, which takes about a second. */
export const examine = async (engine: Engine): Promise<Report> => ({
  soflow: packageVersion(),
  node: process.versions.node,
  platform: `${process.platform}-${process.arch}`,
  processor: cpus()[0]?.model.trim() ?? "unknown",
  cores: availableParallelism(),
  memoryTotal: totalmem(),
  memoryFree: freemem(),
  runtime: await probe(engine),
});

const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

const plural = (n: number, thing: string): string => `${n} ${thing}${n === 1 ? "" : "s"}`;

type Row = readonly [name: string, value: string];

const runtimeRows = (runtime: EngineReport): readonly Row[] => {
  if ("failure" in runtime) return [["runtime", `does not open: ${runtime.failure}`]];
  const { name, onnxruntime, threads, providers, fallback, gflops, spread } = runtime;
  return [
    ["onnxruntime", onnxruntime],
    ["runtime", `${name}, ${plural(threads, "thread")}`],
    ...(fallback === undefined ? [] : [["fallen back", fallback] as const]),
    ...(providers === undefined ? [] : [["providers", providers.join(", ")] as const]),
    ["matrix products", `${gflops.toFixed(0)} ± ${spread.toFixed(0)} GFLOP/s, float32`],
  ];
};

/** The report as a table for people. */
export const formatReport = (report: Report): string => {
  const rows: readonly Row[] = [
    ["soflow", report.soflow],
    ["node", report.node],
    ["platform", report.platform],
    ["processor", `${report.processor}, ${plural(report.cores, "core")}`],
    ["memory", `${gibibytes(report.memoryFree)} free of ${gibibytes(report.memoryTotal)}`],
    ...runtimeRows(report.runtime),
  ];
  return rows.map(([name, value]) => `${name.padEnd(16)} ${value}\n`).join("");
};

/** `soflow doctor`: exits with 1 where the runtime does not open. */
export const doctorCommand = (engine: Engine, write: (text: string) => void): Command =>
  new Command("doctor")
    .description("Report versions, the machine, the runtime and its measured rate.")
    .option("--json", "as JSON, for a bug report or a script")
    .action(async ({ json }: { json?: boolean }) => {
      const report = await examine(engine);
      write(json ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report));
      if ("failure" in report.runtime) throw new FailedCheck("doctor: the runtime does not open");
    });
