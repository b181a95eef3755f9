import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { BUILT_APP, readApp } from "../src/serve/files.js";
import { writeSite } from "../src/serve/site.js";
import { writeTinyModel } from "./serve/model.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const NOTICES = "THIRD-PARTY-NOTICES.txt";
const reason = existsSync(join(BUILT_APP, "index.html")) ? "" : " (skipped: the app is not built, npm run build:web)";

/** Packages that the sources of the app import: `preact/hooks` and `uplot/dist/uPlot.min.css` are of preact and uplot. */
const imported = (): readonly string[] => {
  const folder = join(root, "web", "src");
  const names = new Set<string>();
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }))
    if (/\.tsx?$/.test(name))
      for (const [, module] of readFileSync(join(folder, name), "utf8").matchAll(
        /^import (?!type)[^"]*"([^".][^"]*)"/gm,
      ))
        names.add(/^(@[^/]+\/)?[^/]+/.exec(module!)![0]);
  return [...names].sort();
};

describe.skipIf(reason)(`licences of the code in the app${reason}`, () => {
  test("its notices hold the licence of every package that it is made of", async () => {
    const text = await readFile(join(BUILT_APP, NOTICES), "utf8");
    expect(imported()).toContain("preact");
    for (const name of [...imported(), "@preact/signals-core"])
      expect(text).toContain((await readFile(join(root, "node_modules", name, "LICENSE"), "utf8")).trim());
    const onnxruntime = join(root, "licenses", "onnxruntime");
    for (const name of readdirSync(onnxruntime))
      expect(text).toContain((await readFile(join(onnxruntime, name), "utf8")).trim());
  });

  test("soflow serve sends them, and a site has them", async () => {
    const notices = await readFile(join(BUILT_APP, NOTICES), "utf8");
    const sent = (await readApp(BUILT_APP)).get(`/${NOTICES}`);
    expect([sent?.type, new TextDecoder().decode(sent?.bytes)]).toEqual(["text/plain; charset=utf-8", notices]);
    const folder = await mkdtemp(join(tmpdir(), "soflow-notices-"));
    await writeTinyModel(folder, "tiny");
    await writeSite({ models: [join(folder, "tiny")], out: join(folder, "site"), threads: 1 });
    expect(await readFile(join(folder, "site", NOTICES), "utf8")).toBe(notices);
    expect(await readFile(join(folder, "site", "index.html"), "utf8")).toContain(`href="${NOTICES}"`);
    await rm(folder, { recursive: true, force: true });
  });
});
