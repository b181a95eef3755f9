import { join, relative } from "node:path";
import { isFigure } from "../train/evaluate/figures.js";
import { isClaimed } from "../train/lock/index.js";
import { runPaths } from "../train/runFolder.js";
import { MetricsTail, parseRow, type Row } from "./metricsTail.js";
import { type OpenedFile, openInside, readText } from "./openFile.js";
import type { RunInfo, RunMetrics } from "./protocol.js";
import { Refusal } from "./refusal.js";
import { findRuns, isRun, METRICS, methodOf, sampleSteps } from "./runFolders.js";

/** Most points of a curve that are sent: more than a screen has columns. */
const MOST_POINTS = 2000;
/** Most curves of a run that are sent. */
const MOST_CURVES = 256;
/** Runs whose metrics are kept in memory. */
const MOST_TAILS = 8;
/** The last lines of a metrics file are within so many bytes. */
const END = 65_536;

/** Every k-th row and the last, so that at most about `most` stay, beside those that are `kept` anyway. */
export const thin = <T>(rows: readonly T[], most: number, kept: (row: T) => boolean = () => false): readonly T[] => {
  const stride = Math.max(1, Math.ceil(rows.length / most));
  return rows.filter((row, i) => i % stride === 0 || i === rows.length - 1 || kept(row));
};

/** Rows of evaluations are few, and between others. */
const isEvaluation = (row: Row): boolean => Object.keys(row).some(isFigure);

/** Rows of one step, such as an evaluation's beside the training's, as one. */
export const joinSteps = (rows: readonly Row[]): readonly Row[] => {
  const joined: Row[] = [];
  for (const row of rows)
    if (joined.at(-1)?.step === row.step) joined.push({ ...joined.pop(), ...row });
    else joined.push(row);
  return joined;
};

const namesOf = (rows: readonly Row[]): readonly string[] => {
  const names = new Set<string>();
  for (const row of rows) for (const name of Object.keys(row)) if (names.size <= MOST_CURVES) names.add(name);
  return [...names].filter((name) => name !== "step");
};

const columnsOf = (rows: readonly Row[]): RunMetrics => {
  const column = (name: string) => rows.map((row) => (Number.isFinite(row[name]) ? row[name]! : null));
  return {
    steps: rows.map(({ step }) => step!),
    values: Object.fromEntries(namesOf(rows).map((name) => [name, column(name)])),
  };
};

/** The run folders under a folder, read only. Nothing outside of it is read, by way of no link. */
export class Runs {
  private readonly tails = new Map<string, MetricsTail>();
  private listing: Promise<RunInfo[]> | undefined;

  constructor(private readonly root: string) {}

  /** All runs by name; who asks while they are looked for waits for the same list. */
  list(): Promise<RunInfo[]> {
    this.listing ??= this.look().finally(() => {
      this.listing = undefined;
    });
    return this.listing;
  }

  private async look(): Promise<RunInfo[]> {
    const found: RunInfo[] = [];
    for (const name of await findRuns(this.root)) found.push(await this.info(name));
    return found;
  }

  private async info(name: string): Promise<RunInfo> {
    const [step, method, samples, active] = await Promise.all([
      this.lastStep(name),
      methodOf(this.root, name),
      sampleSteps(this.root, name),
      this.isActive(name),
    ]);
    return { name, method, step, active, samples };
  }

  private async lastStep(name: string): Promise<number> {
    const file = await this.open(name, METRICS);
    const lines = file ? (await readText(file, END, Math.max(0, file.size - END))).split("\n") : [];
    for (const line of lines.reverse()) for (const { step } of parseRow(line)) return step!;
    return 0;
  }

  private async isActive(name: string): Promise<boolean> {
    return isClaimed(join(this.root, name));
  }

  private open(run: string, file: string): Promise<OpenedFile | undefined> {
    return openInside(this.root, join(run, file));
  }

  /** Keeps those that were asked for last. */
  private tail(name: string): MetricsTail {
    const tail = this.tails.get(name) ?? new MetricsTail(() => this.open(name, METRICS), isEvaluation);
    this.tails.delete(name);
    this.tails.set(name, tail);
    if (this.tails.size > MOST_TAILS) this.tails.delete(this.tails.keys().next().value!);
    return tail;
  }

  private async require(name: string): Promise<void> {
    if (await isRun(this.root, name)) return;
    throw new Refusal(404, "run", `there is no run ${name.slice(0, 100)}; GET /v1/runs lists them`);
  }

  /** Metrics of steps after `after`, thinned out. */
  async metrics(name: string, after: number): Promise<RunMetrics> {
    await this.require(name);
    const rows = await this.tail(name).read();
    return columnsOf(thin(joinSteps(rows.filter(({ step }) => step! > after)), MOST_POINTS, isEvaluation));
  }

  /** The picture of samples at a step, a PNG, open. */
  async sample(name: string, step: number): Promise<OpenedFile> {
    await this.require(name);
    const folder = join(this.root, name);
    const file = await this.open(name, relative(folder, runPaths(folder).samples(step)));
    if (file) return file;
    throw new Refusal(404, "samples", `run ${name} has no samples of step ${step}`);
  }
}
