import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../errors.js";
import { isPresent, readIfPresent } from "../../files/index.js";
import { writeFileAtomically } from "../files.js";
import { lockFolder } from "../lock/index.js";
import { modelPaths } from "../model.js";
import { shardsOf, WEIGHT_FILES } from "../shards.js";
import { cacheFolder } from "./cache.js";
import { type Downloaded, download } from "./download.js";

/** How far the download of a file is. */
export type DownloadProgress = { readonly file: string; readonly loaded: number; readonly total: number };

export type HubOptions = {
  /** A branch, a tag or a commit; default main. */
  readonly revision?: string;
  /** Default: `$SOFLOW_CACHE`, else ~/.cache/soflow. */
  readonly cacheDir?: string;
  /** Use what was downloaded before and ask no server; default: whether `$SOFLOW_OFFLINE` is 1. */
  readonly offline?: boolean;
  /** The hub, with Hugging Face's paths; default `$SOFLOW_HUB`, then `$HF_ENDPOINT`. There is no other default. */
  readonly endpoint?: string;
  /** Default: `$HF_TOKEN`. Sent to the hub's host alone. */
  readonly token?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: DownloadProgress) => void;
};

const ID = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/;
const REVISION = /^[A-Za-z0-9][\w.-]*$/;

/** Whether a text can be the id of a model, owner/name. */
export const isModelId = (text: string): boolean => ID.test(text) && !text.includes("..");

/** The hub that models are downloaded from, where one is named. */
export const endpointOf = ({ endpoint }: HubOptions = {}): string | undefined =>
  (endpoint ?? process.env.SOFLOW_HUB ?? process.env.HF_ENDPOINT)?.replace(/\/+$/, "");

/** Beside the files of a downloaded model: their ETags. It is written when all of them are there. */
const COMPLETE = ".complete.json";
type Etags = Readonly<Record<string, string>>;

const readEtags = async (folder: string): Promise<Etags | undefined> => {
  const text = await readIfPresent(join(folder, COMPLETE));
  return text === undefined ? undefined : (JSON.parse(text) as Etags);
};

/** Claims a folder, after another process that is at the same download. */
const waitForLock = async (folder: string): Promise<() => Promise<void>> => {
  for (;;) {
    try {
      return await lockFolder(folder);
    } catch (thrown) {
      if (!(thrown instanceof UserError)) throw thrown;
      await sleep(200);
    }
  }
};

/** One download of a model at a time in this process, by folder. */
const underway = new Map<string, Promise<string>>();

/**
 * Downloads a model, `owner/name`, into the cache and returns its folder. What is there already is only asked after; without
 * a connection it is used as it is. Interrupted downloads go on; checksums are compared where the hub states them.
 */
export const fetchModel = (id: string, options: HubOptions = {}): Promise<string> => {
  const { revision = "main", cacheDir } = options;
  if (!isModelId(id)) throw new UserError(`${id} is no id of a model; one is owner/name`);
  if (!REVISION.test(revision) || revision.includes("..")) throw new UserError(`${revision} is no revision`);
  const folder = join(cacheFolder(cacheDir), "models", id.replace("/", "--"), revision);
  const known = underway.get(folder);
  if (known) return known;
  const started = fetchInto(folder, id, revision, options).finally(() => underway.delete(folder));
  underway.set(folder, started);
  return started;
};

const fetchInto = async (folder: string, id: string, revision: string, options: HubOptions): Promise<string> => {
  const { offline = process.env.SOFLOW_OFFLINE === "1" } = options;
  const before = await readEtags(folder);
  if (offline) {
    if (before) return folder;
    throw new UserError(`${id} (${revision}) has not been downloaded to ${folder}, and this is offline mode`);
  }
  const endpoint = endpointOf(options);
  if (endpoint === undefined) {
    if (before) return folder;
    throw new UserError(`${id}: no hub is named; set SOFLOW_HUB to the address of one, or give a local folder`);
  }
  const unlock = await waitForLock(folder);
  try {
    await new Fetching(`${endpoint}/${id}/resolve/${revision}`, folder, before ?? {}, options).all(id, revision);
  } catch (thrown) {
    const unreachable = thrown instanceof UserError && thrown.message.includes("cannot be reached");
    if (!before || !unreachable) throw thrown;
  } finally {
    await unlock();
  }
  return folder;
};

/** The download of one model's files. */
class Fetching {
  private readonly etags: Record<string, string> = {};

  constructor(
    private readonly address: string,
    private readonly folder: string,
    private readonly before: Etags,
    private readonly options: HubOptions,
  ) {}

  async all(id: string, revision: string): Promise<void> {
    if (!(await this.file("config.json")))
      throw new UserError(`${this.address}/config.json: there is no model ${id} in revision ${revision}`);
    const names = (await this.file(WEIGHT_FILES.index)) ? await this.shards() : [WEIGHT_FILES.whole];
    for (const name of names)
      if (!(await this.file(name))) throw new UserError(`${this.address}/${name} is missing: ${id} has no such file`);
    await this.file("README.md");
    await writeFileAtomically(join(this.folder, COMPLETE), `${JSON.stringify(this.etags, null, 2)}\n`);
  }

  private async shards(): Promise<readonly string[]> {
    const path = join(this.folder, WEIGHT_FILES.index);
    return shardsOf(await readFile(path, "utf8"), path);
  }

  /** Whether the hub has a file; it is there then. */
  private async file(name: string): Promise<boolean> {
    const path = join(this.folder, name);
    const { onProgress, signal, token = process.env.HF_TOKEN } = this.options;
    const etag = isPresent(path) ? this.before[name] : undefined;
    const result: Downloaded = await download(`${this.address}/${name}`, path, {
      ...(etag && { etag }),
      ...(token && { token }),
      ...(signal && { signal }),
      ...(onProgress && { onProgress: (loaded, total) => onProgress({ file: name, loaded, total }) }),
    });
    if (result.etag) this.etags[name] = result.etag;
    return result.status !== "missing";
  }
}

/** The folder behind a path or an id: a path that is there is taken as it is. */
export const resolveModel = async (pathOrId: string, options: HubOptions = {}): Promise<string> => {
  const isLocal = existsSync(pathOrId) || existsSync(modelPaths(pathOrId).config);
  if (isLocal || !isModelId(pathOrId)) return pathOrId;
  const reachable = endpointOf(options) !== undefined || options.offline === true || process.env.SOFLOW_OFFLINE === "1";
  return reachable ? fetchModel(pathOrId, options) : pathOrId;
};
