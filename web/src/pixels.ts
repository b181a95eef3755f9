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

const canvasOf = (width: number, height: number): CanvasRenderingContext2D => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  return canvas.getContext("2d", { willReadFrequently: true })!;
};

/** A picture as a PNG in base64. */
export const base64Of = (picture: ImageData): string => {
  const context = canvasOf(picture.width, picture.height);
  context.putImageData(picture, 0, 0);
  return context.canvas.toDataURL("image/png").split(",")[1]!;
};

/**
 * A square canvas in the size of a model, in gray where that has one channel. Whoever edits is given this, so that all edit
 * the same.
 */
export const resized = (canvas: HTMLCanvasElement, size: number, channels: number): ImageData => {
  const context = canvasOf(size, size);
  context.imageSmoothingQuality = "high";
  context.drawImage(canvas, 0, 0, size, size);
  const picture = context.getImageData(0, 0, size, size);
  const { data } = picture;
  for (let i = 0; channels === 1 && i < data.length; i += 4)
    data.fill(0.2126 * data[i]! + 0.7152 * data[i + 1]! + 0.0722 * data[i + 2]!, i, i + 3); // Rec. 709
  return picture;
};
