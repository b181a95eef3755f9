import { signal } from "@preact/signals";

export type Tool = "draw" | "mask";
export const tool = signal<Tool>("draw");
export const brush = signal(26);
export const colour = signal("#ffffff");
export const strength = signal(0.6);
export const label = signal(0);
export const seed = signal(1);
export const rounds = signal(1);
/** Counts changes of the drawing. */
export const version = signal(0);
export const masked = signal(false);

/** Pixels a side of the drawing; what is edited is shrunk to the model's size. */
export const SIDE = 256;

const layer = (): HTMLCanvasElement => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  return canvas;
};

/** The drawing outlives the tab: it is kept here, and shown in canvases of the page. */
export const picture = layer();
export const mask = layer();

const fill = (canvas: HTMLCanvasElement, style: string): void => {
  const context = canvas.getContext("2d")!;
  context.fillStyle = style;
  context.fillRect(0, 0, SIDE, SIDE);
};

const MOST_UNDO = 20;
const past: { readonly picture: ImageData; readonly mask: ImageData; readonly masked: boolean }[] = [];
const dataOf = (canvas: HTMLCanvasElement): ImageData => canvas.getContext("2d")!.getImageData(0, 0, SIDE, SIDE);

/** Keeps what is there, for `undo`. */
export const remember = (): void => {
  past.push({ picture: dataOf(picture), mask: dataOf(mask), masked: masked.value });
  if (past.length > MOST_UNDO) past.shift();
};

export const undo = (): void => {
  const before = past.pop();
  if (!before) return;
  picture.getContext("2d")!.putImageData(before.picture, 0, 0);
  mask.getContext("2d")!.putImageData(before.mask, 0, 0);
  masked.value = before.masked;
  version.value++;
};

export const clearMask = (): void => {
  fill(mask, "#000");
  masked.value = false;
  version.value++;
};

export const clearAll = (): void => {
  fill(picture, "#000");
  clearMask();
};

/** Puts an image into the drawing, cut to a square. */
export const place = (image: CanvasImageSource, width: number, height: number, smooth: boolean): void => {
  const [context, side] = [picture.getContext("2d")!, Math.min(width, height)];
  remember();
  context.imageSmoothingEnabled = smooth;
  context.drawImage(image, (width - side) / 2, (height - side) / 2, side, side, 0, 0, SIDE, SIDE);
  clearMask();
};

/** A line of the brush, in pixels of the drawing. */
export const stroke = (from: readonly [number, number], to: readonly [number, number]): void => {
  const onMask = tool.value === "mask";
  const context = (onMask ? mask : picture).getContext("2d")!;
  context.strokeStyle = onMask ? "#fff" : colour.value;
  context.lineWidth = brush.value;
  context.lineCap = "round";
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(to[0] + 0.01, to[1]); // a line of no length would not be drawn
  context.stroke();
  if (onMask) masked.value = true;
  version.value++;
};

clearAll();
