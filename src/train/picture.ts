import sharp from "sharp";
import { type GridOptions, grid, type Picture, toBytes } from "../formats/grid.js";
import { scatter } from "../formats/scatter.js";
import { writeFileAtomically } from "./files.js";

/** The PNG of a picture. */
export const encodePng = ({ width, height, rgb }: Picture): Promise<Uint8Array> =>
  sharp(rgb, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();

/** Writes a picture as a PNG file. */
export const writePng = async (path: string, picture: Picture): Promise<void> =>
  writeFileAtomically(path, await encodePng(picture));

/** One picture of many samples [count C H W]: images in a grid, points in the plane as a density. */
export const sheetOf = (
  samples: Float32Array,
  { count, channels, imageSize: size }: { count: number; channels: number; imageSize: number },
  options: GridOptions = {},
): Picture =>
  size === 1 && channels === 2 ? scatter(samples) : grid({ data: toBytes(samples), count, channels, size }, options);
