import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import opentype from "opentype.js";
import { type Contour, flatten } from "./outline.js";

/** Open fonts (SIL OFL 1.1; Roboto Slab: Apache 2.0) that come as npm packages: sans, serif, slab, mono, condensed, hand. */
const FAMILIES = [
  "inter",
  "roboto-slab",
  "lora",
  "jetbrains-mono",
  "nunito",
  "oswald",
  "merriweather",
  "comic-neue",
] as const;
const WEIGHTS = [400, 700] as const;
const DIGITS = "0123456789";

/** A digit's outline, centred on the origin, with height 1, y downwards. */
export type Glyph = { readonly contours: readonly Contour[]; readonly width: number };

const require = createRequire(import.meta.url);

const load = async (family: string, weight: number): Promise<Glyph[]> => {
  const folder = dirname(require.resolve(`@fontsource/${family}/package.json`));
  const bytes = await readFile(join(folder, "files", `${family}-latin-${weight}-normal.woff`));
  const font = opentype.parse(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  return [...DIGITS].map((digit) => centred(flatten(font.charToGlyph(digit).getPath(0, 0, 1).commands)));
};

const centred = (contours: readonly Contour[]): Glyph => {
  const points = contours.flat();
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const height = bottom - top;
  const place = ([x, y]: readonly [number, number]): [number, number] => [
    (x - (left + right) / 2) / height,
    (y - (top + bottom) / 2) / height,
  ];
  return { contours: contours.map((contour) => contour.map(place)), width: (right - left) / height };
};

/** Ten digits of every font and weight: `fonts[f][digit]`. */
export const loadFonts = (): Promise<Glyph[][]> =>
  Promise.all(FAMILIES.flatMap((family) => WEIGHTS.map((weight) => load(family, weight))));
