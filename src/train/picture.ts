import sharp from "sharp";
import type { Picture } from "../formats/grid.js";
import { writeFileAtomically } from "./files.js";

/** The PNG of a picture. */
export const encodePng = ({ width, height, rgb }: Picture): Promise<Uint8Array> =>
  sharp(rgb, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();

/** Writes a picture as a PNG file. */
export const writePng = async (path: string, picture: Picture): Promise<void> =>
  writeFileAtomically(path, await encodePng(picture));
