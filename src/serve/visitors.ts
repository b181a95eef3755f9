import { hostname } from "node:os";
import type { Context, MiddlewareHandler } from "hono";
import { Refusal } from "./refusal.js";

/** Who may ask: by the name that a request has for this server, and by the page that it comes from. */

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
const ADDRESS = /^((\d{1,3}\.){3}\d{1,3}|\[[0-9a-f:.]+\])$/;

/** Whether an address to listen on is reached from this machine alone. */
export const isLoopback = (host: string): boolean => LOOPBACK.test(host.includes(":") ? `[${host}]` : host);

const nameOf = (host: string): string => host.toLowerCase().replace(/:\d+$/, "").replace(/\.$/, "");

/**
 * Answers only to names of this machine and those `named`: a page elsewhere may point its own name at this machine. Where others
 * may come too, an address is no such name.
 */
export const requireKnownHost = (isLocal: boolean, named: readonly string[]): MiddlewareHandler => {
  const own = hostname().toLowerCase();
  const names = new Set([...named.map((name) => name.toLowerCase()), ...(isLocal ? [] : [own, `${own}.local`])]);
  return async (c, next) => {
    const host = c.req.header("Host") ?? "";
    const name = nameOf(host);
    if (!LOOPBACK.test(name) && !names.has(name) && (isLocal || !ADDRESS.test(name)))
      throw new Refusal(
        421,
        "host",
        `this server answers to ${isLocal ? "localhost" : `localhost, addresses and ${own}`}, not to ${host.slice(0, 100)}; others are named with --allow-host`,
      );
    await next();
  };
};

/** Whether a request comes from a page of another origin, as far as its browser says. */
const isForeign = (c: Context): boolean => {
  const site = c.req.header("Sec-Fetch-Site");
  if (site !== undefined) return site !== "same-origin" && site !== "none";
  const origin = c.req.header("Origin");
  return origin !== undefined && origin.replace(/^https?:\/\//, "") !== c.req.header("Host");
};

/** Keeps pages of other origins from starting any work, also by an image's address or a link; `origins` may. */
export const requireOwnPages =
  (origins: readonly string[]): MiddlewareHandler =>
  async (c, next) => {
    const origin = c.req.header("Origin");
    const isKnown = origins.includes("*") || (origin !== undefined && origins.includes(origin));
    if (!isKnown && isForeign(c))
      throw new Refusal(
        403,
        "origin",
        `pages of ${(origin ?? "other origins").slice(0, 100)} are not let in; those that may come are named with --allow-origin`,
      );
    await next();
  };
