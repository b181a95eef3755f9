import { useRef } from "preact/hooks";
import { editPath } from "../../../src/editing/index.js";
import type { ModelInfo } from "../../../src/serve/protocol.js";
import { ClassChoice, Explain, Seed, Segments, Slider } from "../controls.js";
import { useLatest } from "../latest.js";
import { paint, resized } from "../pixels.js";
import { generator, make, model } from "../state.js";
import { Pad, placeFile } from "./pad.js";
import {
  brush,
  clearAll,
  clearMask,
  colour,
  label,
  mask,
  masked,
  picture,
  place,
  rounds,
  seed,
  strength,
  tool,
  undo,
  version,
} from "./state.js";

const TOOLS = [
  { value: "draw", name: "Draw" },
  { value: "mask", name: "Mask" },
] as const;

const settings = () => ({
  model: model.value?.name ?? "",
  label: Math.min(label.value, Math.max(0, (model.value?.classes.length ?? 1) - 1)),
  seed: seed.value,
  strength: strength.value,
  steps: rounds.value,
});

/** What the model makes of the drawing; it follows the brush. */
const Result = () => {
  const canvas = useRef<HTMLCanvasElement>(null);
  const asked = settings();
  useLatest(JSON.stringify([asked, version.value]), async () => {
    const { size, channels } = model.value!;
    const image = resized(picture, size, channels);
    const marks = masked.value && { mask: resized(mask, size, 1) };
    const pixels = await make(() => generator.edit({ ...asked, image, ...marks }));
    if (pixels && canvas.current) paint(canvas.current, pixels, 1);
  });
  return <canvas ref={canvas} class="picture pixelated" role="img" aria-label="the result" data-testid="edited" />;
};

/** Puts an image of the model into the drawing. */
const startFromModel = async (): Promise<void> => {
  const { model, label } = settings();
  const chosen = Math.floor(Math.random() * 999_999);
  const pixels = await make(() => generator.generate({ model, seed: chosen, labels: [label] }));
  if (!pixels) return;
  const canvas = document.createElement("canvas");
  paint(canvas, pixels, 1);
  place(canvas, pixels.size, pixels.size, true);
};

const FileChoice = () => (
  <label class="button">
    Open a picture
    <input
      class="visually-hidden"
      type="file"
      accept="image/png,image/jpeg,image/webp"
      onChange={({ currentTarget }) => {
        void placeFile(currentTarget.files?.[0]);
        currentTarget.value = "";
      }}
    />
  </label>
);

const Colour = () => (
  <label class="field">
    <span class="field-name">Colour</span>
    <input
      type="color"
      value={colour.value}
      onInput={({ currentTarget }) => {
        colour.value = currentTarget.value;
      }}
    />
  </label>
);

const Actions = () => (
  <div class="row wrap">
    <button type="button" onClick={undo}>
      Undo
    </button>
    <button type="button" onClick={clearAll}>
      Clear
    </button>
    {masked.value && (
      <button type="button" onClick={clearMask}>
        Remove mask
      </button>
    )}
    <button type="button" onClick={() => void startFromModel()}>
      Draw one for me
    </button>
    <FileChoice />
  </div>
);

const About = () => (
  <Explain title="What happens here?">
    <p>
      Noise is put on your drawing, and the model jumps from there to the nearest image that it believes in. With little
      noise it only tidies up; with much it keeps no more than a hint of what you drew.
    </p>
    <p>
      With <i>Mask</i>, paint over what may change: the rest stays as it is. A few <b>rounds</b> then blend the two
      better.
    </p>
  </Explain>
);

const Controls = () => (
  <div class="controls">
    <Segments label="Tool" value={tool} choices={TOOLS} />
    <Slider name="Noise" value={strength} min={0.02} max={1} step={0.02} show={(t) => `${Math.round(t * 100)} %`} />
    <ClassChoice classes={model.value?.classes ?? []} value={label} />
    <Slider name="Brush" value={brush} min={4} max={80} />
    <Colour />
    <Slider name="Rounds" value={rounds} min={1} max={8} />
    <Seed value={seed} />
    <About />
  </div>
);

/** Why a model cannot edit. */
const whyNot = ({ method, methodName }: ModelInfo): string =>
  editPath({ kind: method, path: "linear" }) !== undefined
    ? "This model draws through an autoencoder; models that draw pixels can be edited with in one step."
    : `${methodName} models cannot be edited with in one step; SoFlow, MeanFlow and α-Flow models can.`;

/** The tab that edits. */
export const Edit = () => {
  if (model.value && !model.value.canEdit) return <p class="empty">{whyNot(model.value)}</p>;
  return (
    <section class="tab">
      <Controls />
      <div class="stage">
        <div class="pair">
          <figure>
            <Pad />
            <figcaption>Draw here, or drop a picture</figcaption>
          </figure>
          <figure>
            <Result />
            <figcaption>What the model makes of it</figcaption>
          </figure>
        </div>
        <Actions />
      </div>
    </section>
  );
};
