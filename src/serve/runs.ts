import { open, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isFigure } from "../train/evaluate/figures.js";
import { isClaimed } from "../train/lock/index.js";
import { runPaths } from "../train/runFolder.js";
import type { RunInfo, RunMetrics } from "./protocol.js";
import { Refusal } from "./refusal.js";

/** Most points of a curve that are sent: more than a screen has columns. */
const MOST_POINTS = 2000;
/** How deep below the given folder runs are looked for: comparisons keep theirs one level down. */
const DEPTH = 3;

type Row = Readonly<Record<string, number>>;

const parseRow = (line: string): Row[] => {
  try {
    const row: unknown = JSON.parse(line);
    return typeof row === "object" && row !== null && "step" in row && typeof row.step === "number" ? [row as Row] : [];
  } catch {
    return []; // torn by a kill, or by hand
  }
};

/** The rows of a growing metrics file; each call reads only what was added since the one before. */
class MetricsTail {
  private rows: Row[] = [];
  private offset = 0;
  private rest = "";
  private turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly path: string) {}

  /** Reads one after another: two at once would take the same bytes twice. */
  read(): Promise<readonly Row[]> {
    const mine = this.turn.then(() => this.readOn());
    this.turn = mine.catch(() => {});
    return mine;
  }

  private async readOn(): Promise<readonly Row[]> {
    const file = await open(this.path);
    try {
      const { size } = await file.stat();
      if (size < this.offset) Object.assign(this, { rows: [], offset: 0, rest: "" }); // a resumed run rewrote it
      const { buffer, bytesRead } = await file.read(
        Buffer.alloc(size - this.offset),
        0,
        size - this.offset,
        this.offset,
      );
      this.offset += bytesRead;
      const lines = (this.rest + buffer.subarray(0, bytesRead).toString("utf8")).split("\n");
      this.rest = lines.pop() ?? "";
      this.rows.push(...lines.flatMap(parseRow));
      return this.rows;
    } finally {
      await file.close();
    }
  }
}

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

const columnsOf = (rows: readonly Row[]): RunMetrics => {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((name) => name !== "step");
  const column = (name: string) => rows.map((row) => (Number.isFinite(row[name]) ? row[name]! : null));
  return {
    steps: rows.map(({ step }) => step!),
    values: Object.fromEntries(names.map((name) => [name, column(name)])),
  };
};

const metricsPath = (folder: string): string => join(folder, "metrics.jsonl");

const findRuns = async (root: string, name: string, depth: number): Promise<string[]> => {
  const entries = await readdir(join(root, name), { withFileTypes: true }).catch(() => []);
  const own = entries.some((entry) => entry.isFile() && entry.name === "metrics.jsonl");
  if (own) return [name];
  if (depth === 0) return [];
  const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith("."));
  const below = folders.map((entry) => findRuns(root, name === "" ? entry.name : `${name}/${entry.name}`, depth - 1));
  return (await Promise.all(below)).flat();
};

const methodOf = async (folder: string): Promise<string> => {
  const text = await readFile(runPaths(folder).network, "utf8").catch(() => "{}");
  return /"method":\s*\{\s*"kind":\s*"([a-z-]+)"/.exec(text)?.[1] ?? "unknown";
};

const sampleSteps = async (folder: string): Promise<number[]> => {
  const names = await readdir(join(folder, "samples")).catch(() => []);
  return names.flatMap((name) => /^step-(\d{8})\.png$/.exec(name)?.[1] ?? []).map(Number);
};

/** The run folders under a folder, read only. */
export class Runs {
  private readonly tails = new Map<string, MetricsTail>();

  constructor(private readonly root: string) {}

  async list(): Promise<RunInfo[]> {
    const names = await findRuns(this.root, "", DEPTH);
    return Promise.all(names.sort().map((name) => this.info(name)));
  }

  private async info(name: string): Promise<RunInfo> {
    const folder = join(this.root, name);
    const [rows, method, samples, active] = await Promise.all([
      this.rows(name),
      methodOf(folder),
      sampleSteps(folder),
      isClaimed(folder),
    ]);
    return { name, method, step: rows.at(-1)?.step ?? 0, active, samples: samples.sort((a, b) => a - b) };
  }

  private rows(name: string): Promise<readonly Row[]> {
    const tail = this.tails.get(name) ?? new MetricsTail(metricsPath(join(this.root, name)));
    this.tails.set(name, tail);
    return tail.read();
  }

  /** Only names that the list holds are opened, so no request leads out of the folder. */
  private async folderOf(name: string): Promise<string> {
    if ((await findRuns(this.root, "", DEPTH)).includes(name)) return join(this.root, name);
    throw new Refusal(404, "run", `there is no run ${name.slice(0, 100)}; GET /v1/runs lists them`);
  }

  /** Metrics of steps after `after`, thinned out. */
  async metrics(name: string, after: number): Promise<RunMetrics> {
    await this.folderOf(name);
    const rows = await this.rows(name);
    return columnsOf(thin(joinSteps(rows.filter(({ step }) => step! > after)), MOST_POINTS, isEvaluation));
  }

  /** The picture of samples at a step, a PNG. */
  async sample(name: string, step: number): Promise<Uint8Array<ArrayBuffer>> {
    const path = runPaths(await this.folderOf(name)).samples(step);
    const bytes = await readFile(path).catch(() => undefined);
    if (bytes) return new Uint8Array(bytes);
    throw new Refusal(404, "samples", `run ${name} has no samples of step ${step}`);
  }
}
