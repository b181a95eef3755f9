import { existsSync } from "node:fs";
import { copyFile, cp, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { messageOf, UserError } from "../errors.js";
import { escapeHtml } from "../formats/escape.js";
import { methodOf } from "../methods/index.js";
import { exportModel, requireNew } from "../train/export/export.js";
import type { MeasuredManifest } from "../train/export/manifest.js";
import type { ExportPrecision } from "../train/export/pack.js";
import { openSource } from "../train/source.js";
import { BUILT_APP } from "./files.js";
import { infoOf } from "./info.js";
import { type NamedSource, namesAndPaths } from "./names.js";
import { drawsLatents, requireUse } from "./pictures.js";
import { SITE_MARK, type SiteList, type SiteModel } from "./siteList.js";
import { webRuntimeFiles } from "./webRuntime.js";

export type SiteOptions = {
  /** Run folders, model folders or checkpoints; with `NAME=` in front they get that name. */
  readonly models: readonly string[];
  /** The folder to make. */
  readonly out: string;
  /** What weights are stored in; default float32. */
  readonly precision?: ExportPrecision;
  /** Folder of the autoencoder, for models that draw latents. */
  readonly vae?: string;
  /** Of the page; default soflow. */
  readonly title?: string;
  readonly threads?: number;
  /** Folder of the built app; by default the one of this package. */
  readonly app?: string;
};

/** What was written. */
export type Site = { readonly models: readonly SiteModel[]; readonly bytes: number };

/**
 * Writes a folder that any web server can host: the app, the models as `exportModel` writes them, and ONNX Runtime's files.
 * Opened there, the app draws in the page. The folder appears when all of it is there. Throws a `UserError` for a folder that
 * is not empty, models that cannot be exported, and an app that is not built.
 */
export const writeSite = async (options: SiteOptions): Promise<Site> => {
  const { out, app = BUILT_APP } = options;
  if (!existsSync(join(app, "index.html")))
    throw new UserError("site: the app is not built; build it with npm run build:web");
  await requireNew(out, "site");
  const sources: SiteSource[] = [];
  for (const source of namesAndPaths(options.models, "site")) sources.push(await inspect(source, options.vae));
  const latents = sources.map((source) => source.drawsLatents);
  requireUse("site", options.vae, latents);
  const temporary = join(dirname(resolve(out)), `.${basename(resolve(out))}.${process.pid}.tmp`);
  try {
    const models = await fill(temporary, sources, options);
    await rm(out, { recursive: true, force: true });
    await rename(temporary, out);
    return { models, bytes: await bytesBelow(out) };
  } catch (thrown) {
    await rm(temporary, { recursive: true, force: true });
    const failed = thrown instanceof Error && "code" in thrown; // the disk's fault, not ours
    throw failed ? new UserError(`site: ${out} could not be written: ${messageOf(thrown)}`) : thrown;
  }
};

const fill = async (
  site: string,
  sources: readonly SiteSource[],
  options: SiteOptions,
): Promise<readonly SiteModel[]> => {
  const models: SiteModel[] = [];
  await mkdir(join(site, "models"), { recursive: true });
  for (const [i, source] of sources.entries()) models.push(await addModel(site, i, source, options));
  await addApp(site, options.app ?? BUILT_APP, options.title ?? "soflow");
  const list: SiteList = { format: "soflow-site", version: 1, models };
  await writeFile(join(site, LIST), `${JSON.stringify(list, null, 2)}\n`);
  return models;
};

const LIST = "models.json";

type SiteSource = NamedSource & { readonly drawsLatents: boolean };

/** Looks at a model before anything is written. */
const inspect = async (source: NamedSource, vae: string | undefined): Promise<SiteSource> => {
  const { path } = source;
  const { description, file } = await openSource(path, "ema", "site");
  await file.close();
  const { network, method } = description;
  const { steps } = methodOf(method.kind).samplers.usual;
  const latents = drawsLatents("site", path, network, vae);
  if (steps > 1)
    throw new UserError(
      `site: ${path} draws with ${steps} steps (${methodOf(method.kind).name}); a site needs models that draw with one: SoFlow, MeanFlow and consistency models`,
    );
  return { ...source, drawsLatents: latents };
};

/** Exports a model. Folders are numbered: a model's name may hold what no address should. */
const addModel = async (
  site: string,
  place: number,
  { name, path: source, drawsLatents }: SiteSource,
  { precision, vae, threads }: SiteOptions,
): Promise<SiteModel> => {
  const folder = `models/${place + 1}/`;
  const out = join(site, folder);
  const manifest = await exportModel({ source, out, precision, threads, ...(drawsLatents && { vae }) });
  return { ...infoOf(name, manifest.model), ...shownBy(manifest), folder };
};

/** What comes out of the exported generator; an autoencoder inside leaves only latents to edit. */
const shownBy = ({ model, models }: MeasuredManifest): Partial<SiteModel> => {
  const [, channels, size] = models["model.onnx"]!.outputs.images!.shape as readonly number[];
  return channels === model.network.channels ? {} : { channels, size, canEdit: false };
};

/** The app, told by its page that it is a site, and ONNX Runtime. */
const addApp = async (site: string, app: string, title: string): Promise<void> => {
  await cp(app, site, { recursive: true });
  const page = await readFile(join(app, "index.html"), "utf8");
  const mark = `<title>${escapeHtml(title)}</title>\n    <meta name="${SITE_MARK}" content="${LIST}" />`;
  await writeFile(
    join(site, "index.html"),
    page.replace(/<title>.*<\/title>/, () => mark),
  );
  await mkdir(join(site, "ort"));
  for (const [name, place] of webRuntimeFiles()) await copyFile(place, join(site, "ort", name));
};

const bytesBelow = async (folder: string): Promise<number> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
};
