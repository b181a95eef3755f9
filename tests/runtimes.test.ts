import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Browser } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { key } from "../src/random/random.js";
import { resolveConfig } from "../src/train/config/index.js";
import { exportModel } from "../src/train/export/export.js";
import type { Manifest } from "../src/train/export/manifest.js";
import { runTraining } from "../src/train/run.js";
import { launch, missingBrowser, openPage, type Site, serveSite } from "./browser.js";
import {
  type Answers,
  type Ask,
  asksFor,
  byEngine,
  byNode,
  byPage,
  byPython,
  distances,
  hasPython,
  PYTHON,
} from "./runtimes.js";

/**
 * Exported models of the real configurations agree in four runtimes. `SOFLOW_MODELS=run,run` compares trained runs of
 * your own in their place, and prints how far apart they are.
 */

/** Largest difference of a number from the trained model's. */
const TOLERANCE = 1e-4;

let folder: string;
let site: Site;
let browser: Browser | undefined;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-runtimes-"));
  await mkdir(join(folder, "exported"));
  site = await serveSite({ "/exported/": join(folder, "exported/") });
  if (missingBrowser === "") browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  await site.close();
  await rm(folder, { recursive: true, force: true });
});

/** Random pictures under two labels, where the configuration wants photographs. */
const writePictures = async (path: string): Promise<string> => {
  for (const label of ["noise", "static"]) {
    await mkdir(join(path, label), { recursive: true });
    for (let i = 0; i < 8; i++) {
      const pixels = key(i)
        .fold(label)
        .uniform(32 * 32 * 3)
        .map((u) => 255 * u);
      const raw = { width: 32, height: 32, channels: 3 } as const;
      await sharp(Uint8Array.from(pixels), { raw })
        .png()
        .toFile(join(path, label, `${i}.png`));
    }
  }
  return path;
};

/** The last layers start at zero: a few large steps, at once and unaveraged, bring every layer into play. */
const FEW = ["train.steps=8", "train.batch=8", "optimizer.learningRate=0.03", "optimizer.warmupSteps=0", "ema.decay=0"];

const train = async (name: string, ...overrides: string[]): Promise<string> => {
  const out = join(folder, name);
  const config = resolveConfig({ file: name, overrides: [...FEW, `out=${JSON.stringify(out)}`, ...overrides] });
  await runTraining({ config });
  return out;
};

const OWN: readonly (readonly [string, () => Promise<string>])[] = [
  ["quickstart", () => train("quickstart")],
  [
    "cifar10-small",
    async () => {
      const path = await writePictures(join(folder, "pictures"));
      return train("cifar10-small", `data={kind: folder, path: ${JSON.stringify(path)}, size: 32}`);
    },
  ],
];
const given = process.env.SOFLOW_MODELS?.split(",").map((path) => [path, async () => path] as const);

describe.each(given ?? OWN)("%s", (name, prepare) => {
  let exported: string;
  let shape: readonly number[];
  let asks: readonly Ask[];
  let wanted: Answers;

  beforeAll(async () => {
    const source = await prepare();
    exported = join(folder, "exported", name.replaceAll("/", "-"));
    const { model }: Manifest = await exportModel({ source, out: exported, threads: 2 });
    shape = [model.network.channels, model.network.imageSize, model.network.imageSize];
    asks = asksFor([1, 4], shape[0]! * shape[1]! * shape[2]!, model.classes.length);
    wanted = await byEngine(source, asks);
  }, 120_000);

  /** Answers agree with the trained model's. */
  const agree = (runtime: string, answers: Answers): void => {
    const found = distances(answers, wanted);
    if (given) console.log(`${name}, ${runtime}: ${found.map((distance) => distance.toExponential(1)).join(" ")}`);
    expect(found.length).toBe(asks.length);
    for (const distance of found) expect(distance).toBeLessThan(TOLERANCE);
  };

  test("labels change what is drawn by far more than runtimes differ, so the layers have their effect", async () => {
    const [first] = asks;
    const other = await byNode(exported, shape, [{ ...first!, labels: [first!.labels[0] === 0 ? 1 : 0] }]);
    expect(distances(other, wanted)[0]).toBeGreaterThan(10 * TOLERANCE);
  });

  test("onnxruntime-node", async () => agree("Node", await byNode(exported, shape, asks)));

  test.skipIf(!hasPython)(`Python's onnxruntime (needs ${PYTHON} with onnxruntime)`, async () =>
    agree("Python", await byPython(exported, shape, asks, join(folder, "asks.json"))),
  );

  describe.skipIf(missingBrowser !== "")(`Chromium${missingBrowser && `: ${missingBrowser}`}`, () => {
    test.each(["wasm", "webgpu"] as const)("%s", async (device) => {
      const page = await openPage(browser!, site);
      agree(device, await byPage(page, device, `${site.address}exported/${basename(exported)}/`, asks));
      await page.close();
    });
  });
});
