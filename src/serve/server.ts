import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { getRequestListener } from "@hono/node-server";
import { UserError } from "../errors.js";
import { openRuntime } from "../runtime/index.js";
import type { Precision } from "../train/plan.js";
import { openSource, type WeightsChoice } from "../train/source.js";
import { createApp } from "./app.js";
import { Exports } from "./exports.js";
import { BUILT_APP, readApp } from "./files.js";
import { ServerMetrics } from "./metrics.js";
import { ServedModel, type ServedOptions } from "./model.js";
import { type NamedSource, namesAndPaths } from "./names.js";
import { drawsLatents, requireUse } from "./pictures.js";
import { Runs } from "./runs.js";

/** What `soflow serve` takes. Times are in milliseconds. */
export type ServeOptions = {
  /** Run folders, model folders or checkpoints; with `NAME=` in front they get that name. */
  readonly models: readonly string[];
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly token?: string;
  readonly runs?: string;
  /** Folder of the autoencoder, for models that draw latents. */
  readonly vae?: string;
  /** Origins whose pages may use the API. */
  readonly origins: readonly string[];
  readonly maxBatch: number;
  readonly maxWait: number;
  readonly queue: number;
  readonly maxCount: number;
  readonly maxBody: number;
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
  maxBody: 16 * 2 ** 20,
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

const isLoopback = (host: string): boolean => /^(localhost|127\.|::1$)/.test(host);

const listen = (server: Server, { port, host }: ServeOptions): Promise<string> =>
  new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const inUse =
        error.code === "EADDRINUSE" ? "another program listens there; choose another --port" : error.message;
      reject(new UserError(`serve: cannot listen on ${host}:${port}: ${inUse}`));
    });
    server.listen(port, host, () => {
      const { address, port: bound, family } = server.address() as AddressInfo;
      resolve(`http://${family === "IPv6" ? `[${address}]` : address}:${bound}`);
    });
  });

const closeWithin = async (server: Server, grace: number): Promise<void> => {
  const timer = setTimeout(() => server.closeAllConnections(), grace);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  clearTimeout(timer);
};

/** Milliseconds in which requests that were on their way when the server was told to stop still come in. */
const ON_THE_WIRE = 100;

/** Opens the models, compiles them and listens. Throws a `UserError` where a model or the address cannot be had. */
export const startServer = async (options: ServeOptions): Promise<Serving> => {
  const { maxBatch, maxWait, queue: maxQueue, weights, precision, vae, threads, host, report } = options;
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
    let stopping = false;
    const runs = options.runs === undefined ? undefined : new Runs(options.runs);
    const exports = new Exports(weights, report);
    const rules = { ...options, loopback: isLoopback(host), metrics, models, exports, runs, isReady: () => !stopping };
    const app = createApp({ ...rules, files: await readApp(BUILT_APP), provider: runtime.name });
    const server = openSocket(app.fetch, options, () => stopping);
    const url = await listen(server, options);
    const stop = async (): Promise<void> => {
      stopping = true;
      await sleep(ON_THE_WIRE);
      await closeWithin(server, options.grace);
      await Promise.all(models.map(({ batcher }) => batcher.drained()));
      await Promise.all(models.map((model) => model.release()));
      await exports.close();
      await runtime.close();
    };
    return { url, models: models.map(({ info }) => info.name), stop };
  } catch (thrown) {
    await runtime.close();
    throw thrown;
  }
};

/** A socket that gives slow clients 408, and tells those that stay connected to leave once the server stops. */
const openSocket = (
  fetch: (request: Request) => Response | Promise<Response>,
  { requestTimeout }: ServeOptions,
  isStopping: () => boolean,
): Server => {
  const answer = getRequestListener(fetch);
  const timeouts = { requestTimeout, headersTimeout: requestTimeout, connectionsCheckingInterval: 500 };
  return createServer({ ...timeouts, keepAliveTimeout: 5000 }, (request, response) => {
    if (isStopping()) response.setHeader("Connection", "close");
    void answer(request, response);
  });
};
