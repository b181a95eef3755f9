import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type Dataset, limited } from "./dataset.js";
import { Loader, openDataset } from "./index.js";

test("no more images are read at the same time than asked for", async () => {
  let [reading, most] = [0, 0];
  const slow: Dataset = {
    ...(await openDataset({ kind: "glyphs", size: 8, channels: 1, samples: 40 })),
    read: async () => {
      most = Math.max(most, ++reading);
      await new Promise((resolve) => setTimeout(resolve, 1));
      reading--;
      return { pixels: new Uint8Array(64), label: 0 };
    },
  };
  for (const atOnce of [1, 3]) {
    most = 0;
    const dataset = limited(slow, atOnce);
    await Promise.all(Array.from({ length: 20 }, (_, i) => dataset.read(i)));
    expect(most).toBe(atOnce);
  }
});

const SHARDS = fileURLToPath(new URL("../../../shared/data/", import.meta.url));

test.skipIf(!existsSync(SHARDS))(
  "the CIFAR-10 shards hold 50,000 photographs of 10 classes (needs ../shared/data)",
  async () => {
    const path = join(SHARDS, "cifar10-train-*.tar");
    const dataset = await openDataset({ kind: "webdataset", path, size: 32, channels: 3 });
    expect(dataset.length).toBe(50_000);
    expect(dataset.classes).toHaveLength(10);
    const loader = new Loader(dataset, { seed: 0, batch: 200, startStep: 0, flip: false, onError: "stop", ahead: 0 });
    const { images } = await loader.next();
    const mean = images.reduce((sum, value) => sum + value, 0) / images.length;
    expect(Math.abs(mean)).toBeLessThan(0.2); // photographs: neither black nor white on average
    await dataset.close();
  },
);
