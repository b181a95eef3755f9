import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../errors.js";
import { openRuntime, type Runtime } from "../runtime/index.js";
import type { Precision } from "../train/plan.js";
import { openSource, type WeightsChoice } from "../train/source.js";
import { Answers } from "./answers.js";
import { createApp } from "./app.js";
import { Budget } from "./budget.js";
import { Exports } from "./exports.js";
import { BUILT_APP, readApp } from "./files.js";
import { ServerMetrics } from "./metrics.js";
import { ServedModel, type ServedOptions } from "./model.js";
import { type NamedSource, namesAndPaths } from "./names.js";
import { PictureDecoder } from "./picture.js";
import { drawsLatents, requireUse } from "./pictures.js";
import { Refusal } from "./refusal.js";
import { Runs } from "./runs.js";
import { closeWithin, listen, openSocket } from "./socket.js";
import { isLoopback, requireKnownHost } from "./visitors.js";

/** What `soflow serve` takes. Times are in milliseconds. */
export type ServeOptions = {
  /** Run folders, model folders or checkpoints; with `NAME=` in front they get that name. */
  readonly models: readonly string[];
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly token?: string;
  /** Let everybody in who reaches an address beyond this machine, without a token. */
  readonly open?: boolean;
  /** Names that this server is asked for by, beside this machine's own, where it has no token. */
  readonly hosts: readonly string[];
  readonly runs?: string;
  /** Folder of the autoencoder, for models that draw latents. */
  readonly vae?: string;
  /** Origins whose pages may use the API. */
  readonly origins: readonly string[];
  readonly maxBatch: number;
  readonly maxWait: number;
  readonly queue: number;
  readonly maxCount: number;
  /** Bytes of a request. */
  readonly maxBody: number;
  /** Bytes of all requests that are held at once. */
  readonly maxBodies: number;
  /** Bytes of all images that are being made or sent. */
  readonly maxAnswers: number;
  /** Pixels of a picture that is sent to be edited. */
  readonly maxPixels: number;
  /** Clients that are connected. */
  readonly maxConnections: number;
  readonly timeout: number;
  /** Within which a client must have sent its request. */
  readonly requestTimeout: number;
  /** Within which everything accepted is answered after a stop. */
  readonly grace: number;
  readonly threads?: number;
  readonly weights: WeightsChoice;
  readonly precision: Precision;
  readonly report: (text: string) => void;
};

/** What a server does where nothing is said. */
export const SERVE_DEFAULTS = {
  host: "127.0.0.1",
  port: 8080,
  origins: [],
  maxBatch: 64,
  maxWait: 1,
  queue: 1024,
  maxCount: 256,
  hosts: [],
  maxBody: 16 * 2 ** 20,
  maxBodies: 64 * 2 ** 20,
  maxAnswers: 256 * 2 ** 20,
  maxPixels: 16_000_000,
  maxConnections: 512,
  timeout: 60_000,
  requestTimeout: 20_000,
  grace: 30_000,
  weights: "ema",
  precision: "float32",
} as const satisfies Partial<ServeOptions>;

/** A server that listens. */
export type Serving = {
  readonly url: string;
  readonly models: readonly string[];
  /** Stops listening, answers all that was accepted, closes. */
  readonly stop: () => Promise<void>;
};

/** Looks at all models before the first is compiled, which may take long. */
const checkModels = async (named: readonly NamedSource[], { weights, vae }: ServedOptions): Promise<void> => {
  const latents: boolean[] = [];
  for (const { path } of named) {
    const { description, file } = await openSource(path, weights, "serve");
    await file.close();
    latents.push(drawsLatents("serve", path, description.network, vae));
  }
  requireUse("serve", vae, latents);
};

const openModels = async (sources: readonly string[], options: ServedOptions): Promise<ServedModel[]> => {
  const named = namesAndPaths(sources, "serve");
  await checkModels(named, options);
  const models: ServedModel[] = [];
  for (const { name, path } of named) models.push(await ServedModel.open(name, path, options));
  return models;
};

/** Throws a `UserError` where others could come in by an oversight; says so where they are meant to. */
const checkOpenness = ({ host, token, open, report }: ServeOptions): void => {
  if (isLoopback(host) || token !== undefined) return;
  if (!open)
    throw new UserError(
      `serve: everybody who reaches ${host} could use this server; give a token (SOFLOW_TOKEN or --token), or say --open to let everybody in`,
    );
  report(`warning: no token is asked for: everybody who reaches ${host} can use this server`);
};

/** Milliseconds in which requests that were on their way when the server was told to stop still come in. */
const ON_THE_WIRE = 100;

/** What ends with the server, in this order. */
type Parts = {
  readonly models: readonly ServedModel[];
  readonly exports: Exports;
  readonly runtime: Runtime;
};

const release = async ({ models, exports, runtime }: Parts): Promise<void> => {
  await Promise.all(models.map(({ batcher }) => batcher.drained()));
  await Promise.all(models.map((model) => model.release()));
  await exports.close();
  await runtime.close();
};

/** Opens the models, compiles them and listens. Throws a `UserError` where a model or the address cannot be had. */
export const startServer = async (options: ServeOptions): Promise<Serving> => {
  const { maxBatch, maxWait, queue: maxQueue, weights, precision, vae, threads, host, report } = options;
  checkOpenness(options);
  const metrics = new ServerMetrics();
  const onBatch = (images: number, seconds: number): void => {
    metrics.batches.observe(images);
    metrics.batchTime.observe(seconds);
  };
  const runtime = await openRuntime(threads ? { threads } : {});
  try {
    const served = { runtime, maxBatch, maxWait, maxQueue, weights, precision, vae, onBatch, report };
    const models = await openModels(options.models, served);
    metrics.gauge("soflow_queue_images", "Images that wait.", () => models.reduce((n, m) => n + m.batcher.queued, 0));
    metrics.gauge("soflow_running_images", "Images in batches that run.", () =>
      models.reduce((n, m) => n + m.batcher.active, 0),
    );
    let stopping = false;
    const ending = new AbortController();
    setMaxListeners(0, ending.signal); // every request listens
    const runs = options.runs === undefined ? undefined : new Runs(options.runs);
    const exports = new Exports(weights, report);
    const app = createApp({
      ...options,
      hosts: options.token === undefined ? requireKnownHost(isLoopback(host), options.hosts) : undefined,
      metrics,
      models,
      exports,
      runs,
      bodies: new Budget(Math.max(options.maxBodies, options.maxBody), "bodies"),
      answers: new Answers(options.maxAnswers, options.timeout),
      decoder: new PictureDecoder(options.maxPixels),
      isReady: () => !stopping,
      ending: ending.signal,
      files: await readApp(BUILT_APP),
      provider: runtime.name,
    });
    const server = openSocket(app.fetch, { ...options, isStopping: () => stopping });
    const url = await listen(server, options);
    const stop = async (): Promise<void> => {
      stopping = true;
      await sleep(ON_THE_WIRE);
      const end = (): void => ending.abort(new Refusal(503, "stopping", "the server is stopping"));
      await closeWithin(server, options.grace, end);
      end(); // of what no client waits for
      await release({ models, exports, runtime });
    };
    return { url, models: models.map(({ info }) => info.name), stop };
  } catch (thrown) {
    await runtime.close();
    throw thrown;
  }
};
