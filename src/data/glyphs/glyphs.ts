import { key } from "../../random/random.js";
import type { Dataset, Sample } from "../dataset.js";
import { type Glyph, loadFonts } from "./fonts.js";
import type { Contour } from "./outline.js";
import { rasterise } from "./rasterise.js";

export type GlyphsOptions = {
  /** Side in pixels, at least 8. */
  readonly size: number;
  /** 1: white on black. 3: a bright colour on a dark one. */
  readonly channels: 1 | 3;
  /** Number of different images. */
  readonly samples: number;
  readonly seed: number;
  /** The two splits share no image. */
  readonly split: "train" | "test";
};

const DIGITS = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"] as const;

/** The jitter: small enough that every digit stays plainly readable and inside the frame. */
const JITTER = { turn: 0.17, shear: 0.15, smallest: 0.58, largest: 0.76, aspect: 0.12, shift: 0.06 } as const;

type Affine = readonly [a: number, b: number, c: number, d: number, x: number, y: number];

/** A random turn (radians), shear, size, aspect and shift, in units of the frame, from uniform draws u. */
const jitter = (u: Float32Array, { width }: Glyph, size: number): Affine => {
  const between = (i: number, low: number, high: number): number => low + u[i]! * (high - low);
  const turn = between(0, -JITTER.turn, JITTER.turn);
  const shear = between(1, -JITTER.shear, JITTER.shear);
  const height = size * Math.min(between(2, JITTER.smallest, JITTER.largest), 0.8 / Math.max(width, 0.1));
  const stretch = height * between(3, 1 - JITTER.aspect, 1 + JITTER.aspect);
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  const shift = (i: number): number => size * (0.5 + between(i, -JITTER.shift, JITTER.shift));
  return [stretch * cos, height * (shear * cos - sin), stretch * sin, height * (shear * sin + cos), shift(4), shift(5)];
};

const transform = (contours: readonly Contour[], [a, b, c, d, x0, y0]: Affine): Contour[] =>
  contours.map((contour) => contour.map(([x, y]) => [a * x + b * y + x0, c * x + d * y + y0] as const));

/** Fully saturated colours round the wheel, scaled between `low` and `high`. */
const hue = (angle: number, low: number, high: number): number[] =>
  [0, 1 / 3, 2 / 3].map((phase) => low + (high - low) * (0.5 + 0.5 * Math.cos(2 * Math.PI * (angle - phase))));

const paint = (coverage: Float32Array, channels: 1 | 3, u: Float32Array): Uint8Array => {
  const ink = channels === 1 ? [255] : hue(u[6]!, 130, 255);
  const paper = channels === 1 ? [0] : hue(u[7]!, 0, 70);
  const pixels = new Uint8Array(coverage.length * channels);
  for (let i = 0; i < coverage.length; i++)
    for (let c = 0; c < channels; c++)
      pixels[i * channels + c] = Math.round(paper[c]! + (ink[c]! - paper[c]!) * Math.min(1, coverage[i]!));
  return pixels;
};

const draw = (fonts: readonly Glyph[][], { size, channels, seed, split }: GlyphsOptions, index: number): Sample => {
  const sampleKey = key(seed).fold(`glyphs-${split}`).fold(index);
  const [font, label] = [sampleKey.fold("font").integers(1, fonts.length)[0]!, index % DIGITS.length];
  const u = sampleKey.fold("jitter").uniform(8);
  const glyph = fonts[font]![label]!;
  const coverage = rasterise(transform(glyph.contours, jitter(u, glyph, size)), size, size);
  return { pixels: paint(coverage, channels, u), label };
};

/** Digits 0 – 9 from open fonts under random affine jitter, drawn on the fly: image i depends on (seed, split, i) alone. */
export const openGlyphs = async (options: GlyphsOptions): Promise<Dataset> => {
  const fonts = await loadFonts();
  const { size, channels, samples, split } = options;
  return {
    name: `glyphs (${split})`,
    shape: { channels, height: size, width: size },
    classes: DIGITS,
    length: samples,
    read: async (index) => draw(fonts, options, index),
    source: (index) => `glyph ${index}`,
    close: async () => {},
  };
};
