import { dirname, join } from "node:path";
import { readIfPresent } from "../files/index.js";
import { chart, type Series } from "../formats/chart.js";
import { type EventImage, imageEvent, scalarsEvent, versionEvent } from "../formats/tfevents.js";
import { isFigure } from "./evaluate/figures.js";
import { appendTo, makeFolder, writeFileAtomically } from "./files.js";

/** Files of a run that are replaced as a whole, by their names in its folder. */
export const METRICS_FILES = ["metrics.jsonl", "curves.svg", "distances.svg"] as const;

/** Where a run keeps its numbers. */
export const metricsPath = (folder: string): string => join(folder, METRICS_FILES[0]);

type Line = { readonly step: number } & Readonly<Record<string, number>>;

/** The whole lines of a metrics file up to and including `step`; a line torn by a kill is dropped. */
const linesUntil = (text: string, step: number): Line[] =>
  text.split("\n").flatMap((line) => {
    try {
      const parsed = JSON.parse(line) as Line;
      return parsed.step <= step ? [parsed] : [];
    } catch {
      return [];
    }
  });

/** The numbers of each name that is wanted, over steps. */
const seriesOf = (lines: readonly Line[], wanted: (name: string) => boolean): Series[] =>
  [...new Set(lines.flatMap((line) => Object.keys(line)))].filter(wanted).map((name) => ({
    name: name.replace("_", " "),
    points: lines.map((line) => [line.step, line[name] ?? Number.NaN] as const).filter(([, y]) => y > 0),
  }));

/** Numbers of a run: `metrics.jsonl`, one JSON object a line, and the same as TensorBoard events. */
export class Metrics {
  private constructor(
    private readonly file: string,
    private readonly events: string,
  ) {}

  /** Opens the metrics of a run folder that has done `step` steps; what a killed run wrote beyond is dropped. */
  static async open(folder: string, step: number): Promise<Metrics> {
    const file = metricsPath(folder);
    const events = join(
      folder,
      "tensorboard",
      `events.out.tfevents.${Math.floor(Date.now() / 1000)}.soflow.${process.pid}`,
    );
    await makeFolder(dirname(events));
    const kept = linesUntil((await readIfPresent(file)) ?? "", step);
    await writeFileAtomically(file, kept.map((line) => `${JSON.stringify(line)}\n`).join(""));
    await appendTo(events, versionEvent(Date.now() / 1000));
    return new Metrics(file, events);
  }

  /** Adds the numbers of a step. */
  async scalars(step: number, values: Readonly<Record<string, number>>): Promise<void> {
    await appendTo(this.file, `${JSON.stringify({ step, ...values })}\n`);
    await appendTo(this.events, scalarsEvent(Date.now() / 1000, step, values));
  }

  /** Draws the errors so far as `curves.svg`, and where samples were evaluated their distances as `distances.svg`. */
  async draw(): Promise<void> {
    const lines = linesUntil((await readIfPresent(this.file)) ?? "", Number.POSITIVE_INFINITY);
    const isError = (name: string): boolean => /(mse|sum_squares|distance)$/.test(name);
    const errors = seriesOf(lines, isError);
    await this.write("curves.svg", errors, () => chart("errors in training", "step", errors));
    const distances = seriesOf(lines, isFigure);
    const title = `${distances.map(({ name }) => name).join(", ")} of samples`;
    const unnamed = distances.map((one) => ({ ...one, name: "" })); // names are too long for the margin
    await this.write("distances.svg", distances, () => chart(title, "step", unnamed, 0));
  }

  private async write(file: string, series: readonly Series[], draw: () => string): Promise<void> {
    if (series.some(({ points }) => points.length > 1))
      await writeFileAtomically(join(dirname(this.file), file), draw());
  }

  /** Adds a picture, to TensorBoard. */
  async image(step: number, name: string, image: EventImage): Promise<void> {
    await appendTo(this.events, imageEvent(Date.now() / 1000, step, name, image));
  }
}
