import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context, MiddlewareHandler } from "hono";
import { allowedMethods } from "./allowed.js";
import type { Answers } from "./answers.js";
import { readBodies } from "./bodies.js";
import type { Budget } from "./budget.js";
import { sendOpened } from "./diskFile.js";
import { addDocument } from "./document.js";
import { invalidBody, refusalOf } from "./errors.js";
import type { Exports } from "./exports.js";
import type { AppFile } from "./files.js";
import { addImages } from "./images.js";
import type { ServerMetrics } from "./metrics.js";
import { allowOrigins, countRequests, requireJson, requireToken, securityHeaders } from "./middleware.js";
import type { ServedModel } from "./model.js";
import { addPageFiles } from "./pageFiles.js";
import type { PictureDecoder } from "./picture.js";
import { Refusal, refusalBody } from "./refusal.js";
import { editRoute, generateRoute, runMetricsRoute, runSamplesRoute, runsRoute } from "./routes.js";
import type { Runs } from "./runs.js";
import { requireOwnPages } from "./visitors.js";

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
  /** Checks the name that a request has for this server; none where its token is enough. */
  readonly hosts: MiddlewareHandler | undefined;
  readonly maxBody: number;
  readonly maxCount: number;
  /** Milliseconds within which images must be ready. */
  readonly timeout: number;
  /** Memory for bodies. */
  readonly bodies: Budget;
  /** Memory for images. */
  readonly answers: Answers;
  readonly decoder: PictureDecoder;
  readonly isReady: () => boolean;
  /** Aborts when the server ends. */
  readonly ending: AbortSignal;
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
  addBodies(app, options);
  addImages(app, options);
  addRuns(app, options);
  addPageFiles(app, options);
  addDocument(app, options);
  addFiles(app, options);
  return app;
};

const notFound = (c: Context): Refusal =>
  new Refusal(
    404,
    "path",
    `there is no ${c.req.method} ${c.req.path.slice(0, 200)}; /openapi.json lists what there is`,
  );

const notAllowed = (c: Context, methods: string): Refusal =>
  new Refusal(405, "method", `${c.req.path.slice(0, 200)} is not asked for with ${c.req.method}; it takes ${methods}`, {
    Allow: methods,
  });

const refuse = (c: Context, thrown: unknown, { report }: AppOptions): Response => {
  const { status, code, message, headers } = refusalOf(thrown, report);
  for (const [name, value] of Object.entries(headers)) c.header(name, value);
  return c.json(refusalBody(code, message), status);
};

const addRules = (app: App, { metrics, origins, token, hosts }: AppOptions): void => {
  app.use(countRequests(metrics), securityHeaders());
  if (hosts !== undefined) app.use(hosts);
  if (origins.length > 0) app.use("/v1/*", allowOrigins(origins));
  app.use("/v1/*", requireOwnPages(origins));
  if (token !== undefined) for (const path of ["/v1/*", "/metrics"]) app.use(path, requireToken(token));
};

/** Rules for requests that there is a route for. */
const addBodies = (app: App, { bodies, maxBody }: AppOptions): void => {
  for (const { path } of [generateRoute, editRoute]) app.post(path, requireJson, readBodies(bodies, maxBody));
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
    return c.json(await (runs ?? noRuns()).metrics(run, after ?? -1), 200);
  });
  app.openapi(runSamplesRoute, async (c) => {
    const { run, step } = c.req.valid("query");
    const headers = { "Content-Type": "image/png", "Cache-Control": "private, max-age=60" };
    return sendOpened(c, await (runs ?? noRuns()).sample(run, step), headers);
  });
};

const NOT_BUILT = "The app is not built: npm run build:web. The API is described in /openapi.json.\n";

const addFiles = (app: App, { files }: AppOptions): void => {
  app.get("*", (c, next) => {
    const file = files.get(c.req.path);
    if (file === undefined && c.req.path === "/") return c.text(NOT_BUILT);
    if (file === undefined) return next();
    const cache = file.lasting ? "public, max-age=31536000, immutable" : "no-cache";
    return c.body(file.bytes, 200, { "Content-Type": file.type, "Cache-Control": cache });
  });
  const allowed = allowedMethods(app, files);
  app.all("*", (c) => {
    const methods = allowed(c.req.path);
    if (methods === undefined) throw notFound(c);
    if (c.req.method === "OPTIONS") return c.body(null, 204, { Allow: methods });
    throw notAllowed(c, methods);
  });
};
