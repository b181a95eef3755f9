import { useRef } from "preact/hooks";
import { useLatest } from "../latest.js";
import { paint } from "../pixels.js";
import { generator, make } from "../state.js";
import { common, oneLabel, seed, spot } from "./state.js";

const REACH = 2;
const TILES = 7;
const KEY_STEP = 0.1;

/** Three noises mixed: the middle of the plane is the first, its axes lead to the other two. */
const noiseAt = (own: number, u: number, v: number) => [
  { seed: own, index: 0, weight: 1 },
  { seed: own, index: 1, weight: u },
  { seed: own, index: 2, weight: v },
];

const tileSpots = Array.from({ length: TILES * TILES }, (_, i) => {
  const at = (k: number): number => REACH * ((2 * k + 1) / TILES - 1);
  return [at(i % TILES), at(Math.floor(i / TILES))] as const;
});

const clamp = (x: number): number => Math.min(REACH, Math.max(-REACH, x));
const percent = (x: number): string => `${((x / REACH + 1) / 2) * 100}%`;

const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

const moveBy = (event: KeyboardEvent): void => {
  const step = ARROWS[event.key];
  if (!step) return;
  event.preventDefault();
  const [u, v] = spot.value;
  spot.value = [clamp(u + step[0] * KEY_STEP), clamp(v + step[1] * KEY_STEP)];
};

const moveTo = (event: PointerEvent & { currentTarget: HTMLElement }): void => {
  if (event.buttons === 0) return;
  const box = event.currentTarget.getBoundingClientRect();
  const at = (x: number, from: number, size: number): number => clamp(REACH * ((2 * (x - from)) / size - 1));
  spot.value = [at(event.clientX, box.left, box.width), at(event.clientY, box.top, box.height)];
};

/** The plane as a map of small images, with the spot that the large one is from. */
const PlaneMap = () => {
  const canvas = useRef<HTMLCanvasElement>(null);
  const images = tileSpots.map(([u, v]) => ({ label: oneLabel.value, noise: noiseAt(seed.value, u, v) }));
  const request = { ...common.value, images };
  useLatest(JSON.stringify([common.value, seed.value, oneLabel.value]), async () => {
    const pixels = await make(() => generator.generate(request));
    if (pixels && canvas.current) paint(canvas.current, pixels, TILES);
  });
  const [u, v] = spot.value;
  return (
    <div
      class="plane"
      role="slider"
      tabIndex={0}
      aria-label="spot in the plane of noise; arrow keys move it"
      aria-valuenow={Math.round(u * 100)}
      aria-valuetext={`${u.toFixed(1)}, ${v.toFixed(1)}`}
      data-testid="plane"
      onKeyDown={moveBy}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        moveTo(event);
      }}
      onPointerMove={moveTo}
    >
      <canvas ref={canvas} class="picture pixelated" />
      <span class="spot" style={{ left: percent(u), top: percent(v) }} />
    </div>
  );
};

const Spotted = () => {
  const canvas = useRef<HTMLCanvasElement>(null);
  const images = [{ label: oneLabel.value, noise: noiseAt(seed.value, ...spot.value) }];
  const request = { ...common.value, images };
  useLatest(JSON.stringify(request), async () => {
    const pixels = await make(() => generator.generate(request));
    if (pixels && canvas.current) paint(canvas.current, pixels, 1);
  });
  return (
    <canvas
      ref={canvas}
      class="picture pixelated"
      role="img"
      aria-label="the image at the spot"
      data-testid="spotted"
    />
  );
};

/** Drag over a plane of noise; the image follows. */
export const Plane = () => (
  <div class="pair">
    <figure>
      <PlaneMap />
      <figcaption>Drag here, or use the arrow keys</figcaption>
    </figure>
    <figure>
      <Spotted />
      <figcaption>The image at that spot</figcaption>
    </figure>
  </div>
);
