import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { invalidBody, refusalOf } from "./errors.js";
import type { Exports } from "./exports.js";
import type { AppFile } from "./files.js";
import { addImages } from "./images.js";
import type { ServerMetrics } from "./metrics.js";
import {
  allowOrigins,
  countRequests,
  limitBody,
  requireJson,
  requireLoopbackHost,
  requireToken,
  securityHeaders,
} from "./middleware.js";
import type { ServedModel } from "./model.js";
import { addPageFiles } from "./pageFiles.js";
import { Refusal, refusalBody } from "./refusal.js";
import { runMetricsRoute, runSamplesRoute, runsRoute } from "./routes.js";
import type { Runs } from "./runs.js";

/** What the app answers with, and its rules. */
export type AppOptions = {
  readonly models: readonly ServedModel[];
  readonly runs?: Runs;
  /** Exported folders of the models. */
  readonly exports: Exports;
  readonly files: ReadonlyMap<string, AppFile>;
  readonly metrics: ServerMetrics;
  readonly provider: string;
  readonly token?: string;
  readonly origins: readonly string[];
  readonly loopback: boolean;
  readonly maxBody: number;
  readonly maxCount: number;
  /** Milliseconds within which images must be ready. */
  readonly timeout: number;
  readonly isReady: () => boolean;
  readonly report: (text: string) => void;
};

type App = OpenAPIHono;

/** The HTTP application: routes and rules, without a socket. */
export const createApp = (options: AppOptions): App => {
  const app = new OpenAPIHono({
    defaultHook: (result) => {
      if (!result.success) throw invalidBody(result.error.issues);
    },
  });
  app.onError((thrown, c) => refuse(c, thrown, options));
  app.notFound((c) => refuse(c, notFound(c), options));
  addRules(app, options);
  addHealth(app, options);
  addImages(app, options);
  addRuns(app, options);
  addPageFiles(app, options);
  app.doc31("/openapi.json", { openapi: "3.1.0", info: { title: "soflow serve", version: "1" } });
  addFiles(app, options);
  return app;
};

const notFound = (c: Context): Refusal =>
  new Refusal(
    404,
    "path",
    `there is no ${c.req.method} ${c.req.path.slice(0, 200)}; /openapi.json lists what there is`,
  );

const refuse = (c: Context, thrown: unknown, { report }: AppOptions): Response => {
  const { status, code, message, headers } = refusalOf(thrown, report);
  for (const [name, value] of Object.entries(headers)) c.header(name, value);
  return c.json(refusalBody(code, message), status);
};

const addRules = (app: App, { metrics, origins, token, loopback, maxBody }: AppOptions): void => {
  app.use(countRequests(metrics), securityHeaders());
  if (loopback && token === undefined) app.use(requireLoopbackHost); // what has the token may come by any name
  if (origins.length > 0) app.use("/v1/*", allowOrigins(origins));
  if (token !== undefined) for (const path of ["/v1/*", "/metrics"]) app.use(path, requireToken(token));
  app.use("/v1/*", requireJson, limitBody(maxBody));
};

const addHealth = (app: App, { metrics, isReady }: AppOptions): void => {
  app.get("/healthz", (c) => c.text("ok\n"));
  app.get("/readyz", (c) => (isReady() ? c.text("ready\n") : c.text("stopping\n", 503)));
  app.get("/metrics", (c) => c.body(metrics.toString(), 200, { "Content-Type": "text/plain; version=0.0.4" }));
};

const noRuns = (): never => {
  throw new Refusal(404, "run", "this server was given no folder of runs; start it with --runs DIR");
};

const addRuns = (app: App, { runs }: AppOptions): void => {
  app.openapi(runsRoute, async (c) => c.json({ runs: (await runs?.list()) ?? [] }, 200));
  app.openapi(runMetricsRoute, async (c) => {
    const { run, after } = c.req.valid("query");
    return c.json(await (runs ?? noRuns()).metrics(run, after), 200);
  });
  app.openapi(runSamplesRoute, async (c) => {
    const { run, step } = c.req.valid("query");
    const bytes = await (runs ?? noRuns()).sample(run, step);
    return c.body(bytes, 200, { "Content-Type": "image/png", "Cache-Control": "private, max-age=60" });
  });
};

const NOT_BUILT = "The app is not built: npm run build:web. The API is described in /openapi.json.\n";

const addFiles = (app: App, { files }: AppOptions): void => {
  app.get("*", (c) => {
    const file = files.get(c.req.path);
    if (file === undefined && c.req.path === "/") return c.text(NOT_BUILT);
    if (file === undefined) throw notFound(c);
    const cache = file.lasting ? "public, max-age=31536000, immutable" : "no-cache";
    return c.body(file.bytes, 200, { "Content-Type": file.type, "Cache-Control": cache });
  });
  app.all("*", (c) => {
    throw notFound(c);
  });
};
