import type { Pixels } from "./generator.js";

/** Image i as RGBA bytes; [−1, 1] becomes 0 … 255 as in the official code. */
export const imageDataOf = ({ values, channels, size }: Pixels, i: number): ImageData => {
  const [data, plane] = [new ImageData(size, size), size * size];
  for (let p = 0; p < plane; p++) {
    for (let c = 0; c < 3; c++)
      data.data[p * 4 + c] = Math.trunc(127.5 * values[(i * channels + Math.min(c, channels - 1)) * plane + p]! + 128);
    data.data[p * 4 + 3] = 255;
  }
  return data;
};

/** Lays images out in a canvas, pixel for pixel; the page enlarges it. */
export const paint = (canvas: HTMLCanvasElement, pixels: Pixels, columns: number, gap = 0): void => {
  const rows = Math.ceil(pixels.count / columns);
  const cell = pixels.size + gap;
  canvas.width = columns * cell - gap;
  canvas.height = rows * cell - gap;
  const context = canvas.getContext("2d")!;
  for (let i = 0; i < pixels.count; i++)
    context.putImageData(imageDataOf(pixels, i), (i % columns) * cell, Math.floor(i / columns) * cell);
};

/** A canvas as a PNG in base64. */
export const base64Of = (canvas: HTMLCanvasElement): string => canvas.toDataURL("image/png").split(",")[1]!;
