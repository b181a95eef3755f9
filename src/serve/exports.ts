import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportUnmeasured } from "../train/export/export.js";
import type { WeightsChoice } from "../train/source.js";
import type { ServedModel } from "./model.js";
import { Refusal } from "./refusal.js";

/** The files of an exported folder by name, each with its place on the disk. */
type Files = ReadonlyMap<string, string>;

/** Served models as exported folders, for pages that draw by themselves: each is made when it is first asked for. */
export class Exports {
  private readonly folders: string[] = [];
  private readonly made = new Map<ServedModel, Promise<Files>>();

  constructor(
    private readonly weights: WeightsChoice,
    private readonly report: (text: string) => void,
  ) {}

  /**
   * The place of a file of the model's exported folder. Throws a `Refusal` where the model or the folder has none: names come
   * from the folder's own manifest, so that a request can name nothing else.
   */
  async find(model: ServedModel, name: string): Promise<string> {
    const { info } = model;
    if (!info.canExport)
      throw new Refusal(422, "export", `${info.name} is not exported: only models that draw images with one step are`);
    const place = (await this.filesOf(model)).get(name);
    if (place !== undefined) return place;
    throw new Refusal(404, "file", `the exported ${info.name} has no file ${name.slice(0, 100)}`);
  }

  private filesOf(model: ServedModel): Promise<Files> {
    const known = this.made.get(model);
    if (known) return known;
    const making = this.write(model);
    this.made.set(model, making);
    making.catch(() => this.made.delete(model)); // the next request tries again
    return making;
  }

  private async write({ info, source }: ServedModel): Promise<Files> {
    this.report(`exporting ${info.name} for a page`);
    const folder = await mkdtemp(join(tmpdir(), "soflow-exported-"));
    this.folders.push(folder);
    const out = join(folder, "model");
    const { files } = await exportUnmeasured({ source, out, weights: this.weights });
    return new Map(["manifest.json", ...files.map(({ name }) => name)].map((name) => [name, join(out, name)]));
  }

  /** Removes what was made, after what is being made. */
  async close(): Promise<void> {
    await Promise.allSettled(this.made.values());
    await Promise.all(this.folders.map((folder) => rm(folder, { recursive: true, force: true })));
  }
}
