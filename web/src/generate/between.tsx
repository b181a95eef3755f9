import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Slider } from "../controls.js";
import { useLatest } from "../latest.js";
import { paint } from "../pixels.js";
import { generator, make } from "../state.js";
import { blend, common, oneLabel, other, seed } from "./state.js";

const STRIP = 9;
const ROUND_TRIP_MS = 6000;

/** On the arc from one seed's noise to another's: weights cos(π b / 2), sin(π b / 2). */
const noiseAt = (from: number, to: number, b: number) => [
  { seed: from, index: 0, weight: Math.cos((Math.PI / 2) * b) },
  { seed: to, index: 0, weight: Math.sin((Math.PI / 2) * b) },
];

const useImages = (name: string, blends: readonly number[], columns: number) => {
  const canvas = useRef<HTMLCanvasElement>(null);
  const images = blends.map((b) => ({ label: oneLabel.value, noise: noiseAt(seed.value, other.value, b) }));
  const request = { ...common.value, images };
  useLatest(JSON.stringify(request), async () => {
    const pixels = await make(() => generator.generate(request));
    if (pixels && canvas.current) paint(canvas.current, pixels, columns, blends.length > 1 ? 1 : 0);
  });
  return <canvas ref={canvas} class="picture pixelated" role="img" aria-label={name} data-testid={name} />;
};

const BLENDS = Array.from({ length: STRIP }, (_, i) => i / (STRIP - 1));
const Strip = () => useImages("strip", BLENDS, STRIP);
const Blended = () => useImages("blended", [blend.value], 1);

/** While it plays, the blend goes to and fro. */
const usePlaying = (playing: boolean): void => {
  useEffect(() => {
    if (!playing) return;
    const began = performance.now() - (Math.acos(1 - 2 * blend.value) / (2 * Math.PI)) * ROUND_TRIP_MS;
    let frame = 0;
    const turn = (now: number): void => {
      blend.value = (1 - Math.cos((2 * Math.PI * (now - began)) / ROUND_TRIP_MS)) / 2;
      frame = requestAnimationFrame(turn);
    };
    frame = requestAnimationFrame(turn);
    return () => cancelAnimationFrame(frame);
  }, [playing]);
};

/** All that lies between two seeds. */
export const Between = () => {
  const playing = useSignal(false);
  usePlaying(playing.value);
  return (
    <div class="between">
      <div class="large">
        <Blended />
      </div>
      <div class="row">
        <button
          type="button"
          onClick={() => {
            playing.value = !playing.value;
          }}
        >
          {playing.value ? "Pause" : "Play"}
        </button>
        <Slider name="Between" value={blend} min={0} max={1} step={0.01} show={(b) => b.toFixed(2)} />
      </div>
      <Strip />
    </div>
  );
};
