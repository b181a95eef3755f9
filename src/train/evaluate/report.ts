import { escapeHtml } from "../../formats/escape.js";
import { grid } from "../../formats/grid.js";
import { encodePng } from "../picture.js";
import { type Figure, figuresOf, figureText } from "./figures.js";
import type { Results } from "./results.js";

const number = (value: number): string => String(Number(value.toPrecision(5)));

/** Images [n H W 3] as a sheet in a page. */
const sheet = async (pixels: Uint8Array, size: number, columns?: number): Promise<string> => {
  const count = pixels.length / (size * size * 3);
  const plane = size * size;
  const data = pixels.map((_, k) => {
    const [i, c, p] = [Math.floor(k / (3 * plane)), Math.floor(k / plane) % 3, k % plane];
    return pixels[(i * plane + p) * 3 + c]!;
  });
  const picture = grid({ data, count, channels: 3, size }, { scale: 2, ...(columns !== undefined && { columns }) });
  return `<img alt="" src="data:image/png;base64,${Buffer.from(await encodePng(picture)).toString("base64")}">`;
};

const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  `<table><tr>${head.map((cell) => `<th>${escapeHtml(cell)}</th>`).join("")}</tr>${rows
    .map((row) => `<tr>${row.map((cell) => `<td>${escapeHtml(String(cell))}</td>`).join("")}</tr>`)
    .join("")}</table>`;

/** Pictures of a report, uint8 [n H W 3]. */
export type Pictures = {
  readonly size: number;
  readonly samples: Uint8Array;
  /** Row by row: a sample, its nearest image by pixels, its nearest by features. */
  readonly neighbours: Uint8Array | undefined;
};

const head = (
  samples: string,
): string => `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Evaluation of ${escapeHtml(samples)}</title>
<style>body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}td,th{padding:.2rem .8rem;text-align:left}img{max-width:100%;image-rendering:pixelated}</style>
<h1>${escapeHtml(samples)}</h1>`;

/** The page of an evaluation that was repeated: figures over the seeds, and where each seed's own page is. */
export const repeatsPage = (results: Results, seeds: readonly number[], figures: readonly Figure[]): string =>
  `${head(results.samples)}
<p>${seeds.length} times ${results.count} images against ${escapeHtml(results.reference)}, on features ${escapeHtml(results.features)}.</p>
${table(
  ["figure", "mean"],
  figures.map((figure) => [figure.name, figureText(figure)]),
)}
<p>Each seed by itself: ${seeds.map((seed) => `<a href="seed-${seed}/index.html">${seed}</a>`).join(", ")}.</p>
</html>
`;

/** The page of an evaluation: one file, nothing loaded. */
export const reportPage = async (results: Results, { size, samples, neighbours }: Pictures): Promise<string> => {
  const { perClass = [] } = results.scores;
  const near = results.neighbours ?? [];
  return `${head(results.samples)}
<p>${results.count} images against ${escapeHtml(results.reference)}, on features ${escapeHtml(results.features)}.</p>
${table(
  ["figure", "value"],
  figuresOf(results).map((figure) => [figure.name, figureText(figure)]),
)}
<h2>Samples</h2>${await sheet(samples, size)}
${
  perClass.length > 0
    ? `<h2>By label</h2>${table(
        ["label", results.metric, "images"],
        perClass.map(({ label, frechet, count }) => [results.classes[label] ?? label, number(frechet), count]),
      )}`
    : ""
}
${
  neighbours
    ? `<h2>Nearest reference images</h2><p>Each row: a sample, the nearest image by pixels, the nearest by features. A copy would be at 0.</p>${await sheet(neighbours, size, 3)}${table(
        ["sample", "squared pixel distance", "squared feature distance"],
        near.map(({ sample, byPixels, byFeatures }) => [sample, number(byPixels.squared), number(byFeatures.squared)]),
      )}`
    : ""
}
</html>
`;
};
