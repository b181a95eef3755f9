import type { Images } from "./soflow.js";

/** Images as bitmaps for a canvas. */
export const toBitmaps = async ({ values, shape }: Pick<Images, "values" | "shape">): Promise<ImageBitmap[]> => {
  const bytes = values instanceof Uint8Array;
  const [count = 0, channels = 1, height = 0, width = 0] = bytes ? [shape[0], shape[3], shape[1], shape[2]] : shape;
  const plane = height * width;
  const at = (i: number, p: number, c: number): number => {
    const channel = Math.min(c, channels - 1);
    return bytes
      ? values[(i * plane + p) * channels + channel]!
      : 127.5 * values[(i * channels + channel) * plane + p]! + 128;
  };
  const pixels = (i: number): ImageData => {
    const data = new Uint8ClampedArray(4 * plane);
    for (let p = 0; p < plane; p++) data.set([at(i, p, 0), at(i, p, 1), at(i, p, 2), 255], 4 * p);
    return new ImageData(data, width, height);
  };
  return Promise.all(Array.from({ length: count }, (_, i) => createImageBitmap(pixels(i))));
};
