import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";

/** A page in headless Chromium with the built library, for the tests that need one. */

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
/** Why there is no browser here; empty where there is one. */
export const missingBrowser = existsSync(CHROMIUM) ? "" : `no browser at ${CHROMIUM} (set CHROMIUM)`;
/** A path of this repository. */
export const root = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** WebGPU on SwiftShader: it runs without a GPU. */
const FLAGS = [
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-features=Vulkan",
  "--disable-vulkan-surface",
];
export const launch = (...flags: string[]): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM, args: [...FLAGS, ...flags] });

/** A page that has the library under a name that tests can reach. */
const PAGE = `<!doctype html><script type="module">import * as web from "/dist/browser/index.js"; globalThis.web = web;</script>`;
const TYPES: Readonly<Record<string, string>> = {
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
  ".html": "text/html",
};
const HEADERS = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

export type Site = {
  readonly address: string;
  /** Paths that were asked for, in order. */
  readonly asked: string[];
  close(): Promise<void>;
};

/** ONNX Runtime's files for browsers. */
export const ORT = root("node_modules/onnxruntime-web/dist/");

/** What is sent in place of a file. */
export type Altered = { readonly bytes: Buffer; readonly headers: Readonly<Record<string, string>> };

/**
 * The built library, ONNX Runtime's files and further folders by prefix, under the headers that threads need. `hidden`: paths that
 * are answered with 404 though there is a file; `altered`: what is sent in place of one.
 */
export const serveSite = async (
  folders: Readonly<Record<string, string>>,
  hidden: (path: string) => boolean = () => false,
  altered: (path: string, bytes: Buffer) => Altered | undefined = () => undefined,
): Promise<Site> => {
  const places = Object.entries({ "/dist/": root("dist/"), "/ort/": ORT, ...folders });
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url ?? "/", "http://x").pathname);
    asked.push(path);
    const [prefix, base] = places.find(([start]) => path.startsWith(start)) ?? [];
    const file = base && join(base, path.slice(prefix!.length));
    if (path === "/") return void response.writeHead(200, { ...HEADERS, "content-type": "text/html" }).end(PAGE);
    if (!file || !existsSync(file) || hidden(path)) return void response.writeHead(404).end();
    const own = await readFile(file);
    const { bytes, headers } = altered(path, own) ?? { bytes: own, headers: {} };
    const type = TYPES[extname(file)] ?? "application/octet-stream";
    const length = { "content-type": type, "content-length": bytes.length };
    response.writeHead(200, { ...HEADERS, ...length, ...headers }).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    asked,
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  };
};

/** A new page of the site, with the library loaded. */
export const openPage = async (browser: Browser, { address }: Site): Promise<Page> => {
  const page = await browser.newPage();
  await page.goto(address);
  await page.waitForFunction("globalThis.web");
  return page;
};
