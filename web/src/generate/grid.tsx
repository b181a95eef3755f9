import { useRef } from "preact/hooks";
import { useLatest } from "../latest.js";
import { paint } from "../pixels.js";
import { generator, make, model } from "../state.js";
import { common, label, oneLabel, seed, shownCount } from "./state.js";

/** Many images of one seed, drawn anew with every change. */
export const Grid = () => {
  const canvas = useRef<HTMLCanvasElement>(null);
  const request = {
    ...common.value,
    seed: seed.value,
    count: shownCount.value,
    ...(label.value >= 0 && { labels: [oneLabel.value] }),
  };
  useLatest(JSON.stringify(request), async () => {
    const pixels = await make(() => generator.generate(request));
    if (pixels && canvas.current) paint(canvas.current, pixels, Math.sqrt(request.count), 1);
  });
  const what = `${shownCount.value} images of ${model.value?.name ?? "the model"}, seed ${seed.value}`;
  return <canvas ref={canvas} class="picture pixelated" role="img" aria-label={what} data-testid="grid" />;
};
