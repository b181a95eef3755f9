/** Pixels of an RGB picture, row by row. */
export type Picture = { readonly width: number; readonly height: number; readonly rgb: Uint8Array };

/** Images as bytes [N C H W], C = 1 or 3. */
export type ImageBytes = {
  readonly data: Uint8Array;
  readonly count: number;
  readonly channels: number;
  readonly size: number;
};

/** Floats in [−1, 1] as bytes: truncate(clamp(127.5 x + 128, 0, 255)), the official code's rule. */
export const toBytes = (values: Float32Array): Uint8Array =>
  Uint8Array.from(values, (x) => Math.min(255, Math.max(0, Math.trunc(127.5 * x + 128))));

/** Digits and a few signs, three columns by five rows; a bit is a pixel, the top left one is the highest. */
const FONT: Readonly<Record<string, number>> = {
  "0": 0b111101101101111,
  "1": 0b010110010010111,
  "2": 0b111001111100111,
  "3": 0b111001111001111,
  "4": 0b101101111001001,
  "5": 0b111100111001111,
  "6": 0b111100111101111,
  "7": 0b111001001010010,
  "8": 0b111101111101111,
  "9": 0b111101111001111,
};
const GLYPH = { width: 3, height: 5 };
const INK = [200, 200, 200] as const;

export type GridOptions = {
  /** Images in a row; by default the grid is as square as it can be. */
  readonly columns?: number;
  /** Each pixel becomes scale × scale. */
  readonly scale?: number;
  /** A number to write above each image. */
  readonly labels?: readonly number[];
  /** Pixels between images and around them; 2 by default. */
  readonly margin?: number;
};

/** Most pixels of a picture: 16384 × 16384, 805 MB in memory. */
export const MOST_PIXELS = 2 ** 28;

const layout = (
  { count, size }: Pick<ImageBytes, "count" | "size">,
  { columns = Math.ceil(Math.sqrt(count)), scale = 1, labels, margin = 2 }: GridOptions,
) => {
  const caption = labels ? GLYPH.height * captionScale(scale) + margin * 2 : 0;
  const cell = { width: size * scale + margin, height: size * scale + margin + caption };
  const rows = Math.ceil(count / columns);
  const [width, height] = [columns * cell.width + margin, rows * cell.height + margin];
  return { columns, scale, labels, margin, caption, cell, width, height };
};

/** Width and height in pixels of what `grid` makes of so many images of a size. */
export const gridSize = (images: Pick<ImageBytes, "count" | "size">, options: GridOptions = {}) => {
  const { width, height } = layout(images, options);
  return { width, height };
};

/** Lays images out in rows on a dark ground, each under its label where labels are given. */
export const grid = (images: ImageBytes, options: GridOptions = {}): Picture => {
  const { columns, scale, labels, margin, caption, cell, width, height } = layout(images, options);
  const picture = { width, height, rgb: new Uint8Array(width * height * 3).fill(24) };
  for (let i = 0; i < images.count; i++) {
    const [left, top] = [margin + (i % columns) * cell.width, margin + Math.floor(i / columns) * cell.height];
    if (labels) write(picture, String(labels[i]), left, top + margin, captionScale(scale));
    paste(picture, images, i, left, top + caption, scale);
  }
  return picture;
};

const captionScale = (scale: number): number => Math.max(1, Math.floor(scale / 2));

const paste = (
  { width, rgb }: Picture,
  { data, channels, size }: ImageBytes,
  i: number,
  left: number,
  top: number,
  scale: number,
): void => {
  for (let y = 0; y < size * scale; y++)
    for (let x = 0; x < size * scale; x++)
      for (let c = 0; c < 3; c++) {
        const plane = i * channels + Math.min(c, channels - 1);
        const from = (plane * size + Math.floor(y / scale)) * size + Math.floor(x / scale);
        rgb[((top + y) * width + left + x) * 3 + c] = data[from]!;
      }
};

const write = ({ width, rgb }: Picture, text: string, left: number, top: number, scale: number): void => {
  [...text].forEach((character, k) => {
    const bits = FONT[character] ?? 0;
    for (let y = 0; y < GLYPH.height * scale; y++)
      for (let x = 0; x < GLYPH.width * scale; x++) {
        const bit = Math.floor(y / scale) * GLYPH.width + Math.floor(x / scale);
        if (((bits >> (GLYPH.width * GLYPH.height - 1 - bit)) & 1) === 0) continue;
        rgb.set(INK, ((top + y) * width + left + k * (GLYPH.width + 1) * scale + x) * 3);
      }
  });
};
