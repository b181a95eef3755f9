import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportUnmeasured } from "../train/export/export.js";
import type { WeightsChoice } from "../train/source.js";
import type { ServedModel } from "./model.js";
import { Refusal } from "./refusal.js";

/** The files of an exported folder by name, each with its place on the disk. */
type Files = ReadonlyMap<string, string>;

/** A folder that is made, or being made, and how many wait for that. */
type Making = { readonly files: Promise<Files>; readonly controller: AbortController; waiting: number };

/** Served models as exported folders, for pages that draw by themselves: each is made when it is first asked for. */
export class Exports {
  private readonly folders: string[] = [];
  private readonly made = new Map<ServedModel, Making>();
  /** For a process that ends in the middle. */
  private readonly removeNow = (): void => {
    for (const folder of this.folders) rmSync(folder, { recursive: true, force: true });
  };

  constructor(
    private readonly weights: WeightsChoice,
    private readonly report: (text: string) => void,
  ) {
    process.once("exit", this.removeNow);
  }

  /**
   * The place of a file of the model's exported folder. Throws a `Refusal` where the model or the folder has none: names come
   * from the folder's own manifest, so that a request can name nothing else. Where the signals of all who wait have aborted,
   * the folder is not made.
   */
  async find(model: ServedModel, name: string, signal: AbortSignal): Promise<string> {
    const { info } = model;
    if (!info.canExport)
      throw new Refusal(422, "export", `${info.name} is not exported: only models that draw images with one step are`);
    const place = (await this.filesOf(model, signal)).get(name);
    if (place !== undefined) return place;
    throw new Refusal(404, "file", `the exported ${info.name} has no file ${name.slice(0, 100)}`);
  }

  private async filesOf(model: ServedModel, signal: AbortSignal): Promise<Files> {
    signal.throwIfAborted();
    const making = this.made.get(model) ?? this.start(model);
    making.waiting++;
    const leave = (): void => {
      if (--making.waiting > 0) return;
      if (this.made.get(model) === making) this.made.delete(model); // who asks from now on has another made
      making.controller.abort(signal.reason);
    };
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await making.files;
    } finally {
      signal.removeEventListener("abort", leave);
      if (!signal.aborted) making.waiting--;
    }
  }

  private start(model: ServedModel): Making {
    const controller = new AbortController();
    const making = { files: this.write(model, controller.signal), controller, waiting: 0 };
    this.made.set(model, making);
    making.files.catch(() => {
      if (this.made.get(model) === making) this.made.delete(model); // the next request tries again
    });
    return making;
  }

  private async write({ info, source }: ServedModel, signal: AbortSignal): Promise<Files> {
    this.report(`exporting ${info.name} for a page`);
    const folder = await mkdtemp(join(tmpdir(), "soflow-exported-"));
    this.folders.push(folder);
    const out = join(folder, "model");
    try {
      const { files } = await exportUnmeasured({ source, out, weights: this.weights, signal });
      return new Map(["manifest.json", ...files.map(({ name }) => name)].map((name) => [name, join(out, name)]));
    } catch (thrown) {
      await rm(folder, { recursive: true, force: true });
      throw thrown;
    }
  }

  /** Removes what was made, after what is being made. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.made.values()].map(({ files }) => files));
    await Promise.all(this.folders.map((folder) => rm(folder, { recursive: true, force: true })));
    process.off("exit", this.removeNow);
  }
}
