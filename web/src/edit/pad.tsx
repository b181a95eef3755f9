import { useEffect, useRef } from "preact/hooks";
import { mask, masked, picture, place, remember, SIDE, stroke, undo, version } from "./state.js";

type Point = readonly [number, number];

const pointOf = (event: PointerEvent & { currentTarget: HTMLElement }): Point => {
  const box = event.currentTarget.getBoundingClientRect();
  return [((event.clientX - box.left) * SIDE) / box.width, ((event.clientY - box.top) * SIDE) / box.height];
};

/** The mask as a tint: its white, coloured and see-through. */
const tint = (context: CanvasRenderingContext2D): void => {
  const pixels = mask.getContext("2d")!.getImageData(0, 0, SIDE, SIDE);
  for (let i = 0; i < pixels.data.length; i += 4) {
    const value = pixels.data[i]!;
    pixels.data.set([255, 90, 60, value * 0.55], i);
  }
  const layer = new OffscreenCanvas(SIDE, SIDE);
  layer.getContext("2d")!.putImageData(pixels, 0, 0);
  context.drawImage(layer, 0, 0);
};

const show = (canvas: HTMLCanvasElement): void => {
  const context = canvas.getContext("2d")!;
  context.drawImage(picture, 0, 0);
  if (masked.value) tint(context);
};

/** Reads a picture file into the drawing; files that are none are left alone. */
export const placeFile = async (file: File | undefined): Promise<void> => {
  const bitmap = file && (await createImageBitmap(file).catch(() => undefined));
  if (bitmap) place(bitmap, bitmap.width, bitmap.height, true);
};

/** Where one draws, by pointer or finger; pictures can be dropped here. */
export const Pad = () => {
  const canvas = useRef<HTMLCanvasElement>(null);
  const last = useRef<Point | undefined>(undefined);
  const shown = version.value;
  useEffect(() => {
    if (canvas.current) show(canvas.current);
  }, [shown]);
  const end = (): void => {
    last.current = undefined;
  };
  return (
    <canvas
      ref={canvas}
      class="picture pad"
      width={SIDE}
      height={SIDE}
      tabIndex={0}
      role="img"
      aria-label="drawing area"
      data-testid="pad"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        remember();
        last.current = pointOf(event);
        stroke(last.current, last.current);
      }}
      onPointerMove={(event) => {
        if (!last.current) return;
        const now = pointOf(event);
        stroke(last.current, now);
        last.current = now;
      }}
      onPointerUp={end}
      onPointerCancel={end}
      onKeyDown={(event) => {
        if ((event.ctrlKey || event.metaKey) && event.key === "z") undo();
      }}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        void placeFile(event.dataTransfer?.files[0]);
      }}
    />
  );
};
