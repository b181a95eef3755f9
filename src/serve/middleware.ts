import { createHash, timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { secureHeaders } from "hono/secure-headers";
import type { ServerMetrics } from "./metrics.js";
import { Refusal } from "./refusal.js";

/** Headers of every answer. COOP and COEP give the page threads; the policy keeps it from any other host. */
export const securityHeaders = (): MiddlewareHandler =>
  secureHeaders({
    crossOriginOpenerPolicy: "same-origin",
    crossOriginEmbedderPolicy: "require-corp",
    crossOriginResourcePolicy: "same-origin",
    xFrameOptions: "DENY",
    strictTransportSecurity: false, // for whoever puts TLS in front to say
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'", "'wasm-unsafe-eval'"],
      styleSrc: ["'self'", "'unsafe-inline'"],
      imgSrc: ["'self'", "data:", "blob:"],
      connectSrc: ["'self'"],
      workerSrc: ["'self'", "blob:"],
      manifestSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
  });

/** Lets pages of these origins use the API. */
export const allowOrigins = (origins: readonly string[]): MiddlewareHandler =>
  cors({
    origin: [...origins],
    allowHeaders: ["Authorization", "Content-Type"],
    exposeHeaders: ["Retry-After", "X-Shape", "X-Labels", "X-Evaluations"],
    maxAge: 600,
  });

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** Whether a request has `Authorization: Bearer TOKEN`. Digests of equal length are compared, in constant time. */
export const hasToken = (c: Context, token: string): boolean => {
  const given = /^Bearer (.+)$/i.exec(c.req.header("Authorization") ?? "")?.[1] ?? "";
  return timingSafeEqual(digest(given), digest(token));
};

/** Asks for `Authorization: Bearer TOKEN`. */
export const requireToken =
  (token: string): MiddlewareHandler =>
  async (c, next) => {
    if (!hasToken(c, token))
      throw new Refusal(401, "token", "this server asks for a token: send the header Authorization: Bearer TOKEN", {
        "WWW-Authenticate": 'Bearer realm="soflow"',
      });
    await next();
  };

const JSON_TYPE = /^application\/json(\s*;\s*charset="?utf-8"?)?$/i;

/** Only JSON is read: what a page elsewhere may send without asking first, such as text/plain, is not. */
export const requireJson: MiddlewareHandler = async (c, next) => {
  const type = c.req.header("Content-Type") ?? "none";
  if (c.req.method === "POST" && !JSON_TYPE.test(type))
    throw new Refusal(415, "type", `the body's Content-Type is ${type.slice(0, 100)}; it must be application/json`);
  await next();
};

const routeOf = (c: Context): string =>
  /^\/(v1|healthz|readyz|metrics|openapi)/.test(c.req.path) ? c.req.routePath : "app";

/** Counts requests by route and status, and how long answers took. */
export const countRequests =
  (metrics: ServerMetrics): MiddlewareHandler =>
  async (c, next) => {
    const began = performance.now();
    await next();
    metrics.requests.add({ route: routeOf(c), status: c.res.status });
    metrics.latency.observe((performance.now() - began) / 1000);
  };
