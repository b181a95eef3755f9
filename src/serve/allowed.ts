import type { Hono } from "hono";

/** The methods that a path is asked for with, as the header Allow lists them; undefined where there is no such path. */
export type Allowed = (path: string) => string | undefined;

const patternOf = (path: string): RegExp =>
  new RegExp(`^${path.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/:\w+|\{\w+\}/g, "[^/]+")}$`);

/** The methods of an app's routes by path, and GET for `files`. */
export const allowedMethods = ({ routes }: Pick<Hono, "routes">, files: ReadonlyMap<string, unknown>): Allowed => {
  const known = routes
    .filter(({ method, path }) => method !== "ALL" && path !== "*" && path !== "/*")
    .map(({ method, path }) => ({ method, pattern: patternOf(path) }));
  return (path) => {
    const found = known.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
    if (path === "/" || files.has(path)) found.push("GET");
    const methods = new Set(found.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])));
    return methods.size > 0 ? [...methods, "OPTIONS"].join(", ") : undefined;
  };
};
