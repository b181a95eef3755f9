// Whether figures behave: the Fréchet distance of CIFAR-10 train against test on the features of a classifier trained
// here, and how it grows under noise, blur and shuffled labels. Writes table.md and plot.svg.
// Usage: npx tsc -b && node scripts/check/self_consistency.mjs DATA_FOLDER FEATURES_FOLDER [IMAGES]
//   DATA_FOLDER holds cifar10-train-*.tar and cifar10-test-*.tar; FEATURES_FOLDER is of soflow features train.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openDataset } from "../../dist/data/index.js";
import { frechetDistance, Moments } from "../../dist/eval/index.js";
import { key } from "../../dist/random/random.js";
import { openRuntime } from "../../dist/runtime/index.js";
import { openFeatures } from "../../dist/train/evaluate/index.js";

const [data, features, wanted = "10000"] = process.argv.slice(2);
const [SIZE, BATCH, CLASSES] = [32, 500, 10];
const EACH = SIZE * SIZE * 3;

const readImages = async (name) => {
  const dataset = await openDataset({ kind: "webdataset", path: join(data, name), size: SIZE, channels: 3 });
  const n = Math.min(Number(wanted), dataset.length);
  const [pixels, labels] = [new Uint8Array(n * EACH), []];
  for (let i = 0; i < n; i++) {
    const sample = await dataset.read(i);
    pixels.set(sample.pixels, i * EACH);
    labels.push(sample.label);
  }
  await dataset.close();
  return { pixels, labels };
};

/** Gaussian noise of this deviation, in grey levels. */
const noisy = (pixels, deviation) => {
  const out = new Uint8Array(pixels.length);
  for (let i = 0; i * EACH < pixels.length; i++) {
    const noise = key(0).fold("noise").fold(i).normal(EACH);
    for (let k = 0; k < EACH; k++)
      out[i * EACH + k] = Math.min(255, Math.max(0, Math.round(pixels[i * EACH + k] + deviation * noise[k])));
  }
  return out;
};

/** The mean over a square of 2 r + 1 pixels, within the image. */
const blurred = (pixels, r) => {
  if (r === 0) return pixels;
  const out = new Uint8Array(pixels.length);
  for (let at = 0; at < pixels.length; at += EACH)
    for (let y = 0; y < SIZE; y++)
      for (let x = 0; x < SIZE; x++)
        for (let c = 0; c < 3; c++) {
          let [sum, count] = [0, 0];
          for (let v = Math.max(0, y - r); v <= Math.min(SIZE - 1, y + r); v++)
            for (let u = Math.max(0, x - r); u <= Math.min(SIZE - 1, x + r); u++) {
              sum += pixels[at + (v * SIZE + u) * 3 + c];
              count++;
            }
          out[at + (y * SIZE + x) * 3 + c] = Math.round(sum / count);
        }
  return out;
};

/** A share of labels is moved round among images. */
const shuffled = (labels, share) => {
  const rows = key(0)
    .fold("labels")
    .permutation(labels.length)
    .slice(0, Math.round(share * labels.length));
  const out = [...labels];
  rows.forEach((row, i) => {
    out[row] = labels[rows[(i + 1) % rows.length]];
  });
  return out;
};

const runtime = await openRuntime({ threads: 2 });
const extractor = await openFeatures(runtime, features);

const extract = async (pixels) => {
  const n = pixels.length / EACH;
  const parts = [];
  for (let at = 0; at < n; at += BATCH) {
    const rows = Math.min(BATCH, n - at);
    parts.push(...(await extractor.extract(pixels.subarray(at * EACH, (at + rows) * EACH), rows, SIZE)).pool);
  }
  return Float64Array.from(parts);
};

const momentsOf = (pool, D) => {
  const moments = new Moments(D).add(pool);
  return { dimensions: D, mean: moments.mean, covariance: moments.covariance };
};

/** The mean over labels of the distance of images of one label. */
const perClass = (a, labelsA, b, labelsB, D) => {
  const of = (pool, labels, label) =>
    momentsOf(
      pool.filter((_, k) => labels[Math.floor(k / D)] === label),
      D,
    );
  let sum = 0;
  for (let label = 0; label < CLASSES; label++) sum += frechetDistance(of(a, labelsA, label), of(b, labelsB, label));
  return sum / CLASSES;
};

const train = await readImages("cifar10-train-*.tar");
const test = await readImages("cifar10-test-*.tar");
const reference = await extract(train.pixels);
const D = reference.length / train.labels.length;
const known = momentsOf(reference, D);
const distance = async (pixels) => frechetDistance(known, momentsOf(await extract(pixels), D));
const clean = await extract(test.pixels);

const series = [
  { name: "noise (grey levels)", levels: [0, 4, 8, 16, 32, 64], of: (level) => distance(noisy(test.pixels, level)) },
  { name: "blur (radius)", levels: [0, 1, 2, 3, 4], of: (level) => distance(blurred(test.pixels, level)) },
  {
    name: "labels moved (share), mean over labels",
    levels: [0, 0.1, 0.2, 0.4, 0.7, 1],
    of: async (level) => perClass(reference, train.labels, clean, shuffled(test.labels, level), D),
  },
];
const found = [];
for (const { name, levels, of } of series) {
  const values = [];
  for (const level of levels) values.push(await of(level));
  found.push({ name, levels, values });
  console.log(name, values.map((value) => value.toPrecision(4)).join(" "));
}
extractor.release();
await runtime.close();

const metric = `FD-${extractor.name}-${extractor.hash}`;
const monotone = found.every(({ values }) => values.every((value, i) => i === 0 || value > values[i - 1]));
const table = found.map(
  ({ name, levels, values }) =>
    `| ${name} | ${levels.join(" | ")} |\n|${" --- |".repeat(levels.length + 1)}\n| ${metric} | ${values.map((value) => value.toPrecision(4)).join(" | ")} |`,
);
const highest = Math.max(...found.flatMap(({ values }) => values));
const lowest = Math.min(...found.flatMap(({ values }) => values));
const height = (value) => 260 - (220 * Math.log(value / lowest)) / Math.log(highest / lowest);
const colours = ["#2f6fde", "#d9572b", "#2a9d63"];
const lines = found.map(({ name, values }, s) => {
  const points = values.map((value, i) => `${60 + (i * 420) / (values.length - 1)},${height(value).toFixed(1)}`);
  return `<polyline fill="none" stroke="${colours[s]}" stroke-width="2" points="${points.join(" ")}"/><text x="70" y="${20 + 16 * s}" fill="${colours[s]}">${name}</text>`;
});
const axis = `<text x="4" y="${height(highest) + 4}">${highest.toPrecision(3)}</text><text x="4" y="264">${lowest.toPrecision(3)}</text><text x="180" y="290">distortion, least to most</text>`;
const out = new URL("../../docs/results/evaluation/", import.meta.url);
mkdirSync(out, { recursive: true });
writeFileSync(
  new URL("plot.svg", out),
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 500 300" font-family="sans-serif" font-size="12"><rect width="500" height="300" fill="white"/>${lines.join("")}${axis}</svg>\n`,
);
writeFileSync(
  new URL("table.md", out),
  `# Do the figures behave?

${metric}: the Fréchet distance of ${train.labels.length} training images of CIFAR-10 to ${test.labels.length} test images, on the features of a
classifier trained here (not FID). Monotone in every distortion: ${monotone ? "yes" : "no"}.

${table.join("\n\n")}

![growth](plot.svg)

Made by \`node scripts/check/self_consistency.mjs DATA_FOLDER FEATURES_FOLDER ${wanted}\`, the features by
\`soflow features train cifar10-small --steps 400 --out FEATURES_FOLDER\`.
`,
);
process.exitCode = monotone ? 0 : 1;
