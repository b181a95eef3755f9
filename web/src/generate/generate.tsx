import { ClassChoice, Explain, Seed, Segments, Slider } from "../controls.js";
import { canStep, model } from "../state.js";
import { Between } from "./between.js";
import { Grid } from "./grid.js";
import { Plane } from "./plane.js";
import { count, counts, label, mode, other, seed, shownCount, steps } from "./state.js";

const MODES = [
  { value: "grid", name: "Many" },
  { value: "plane", name: "Morph" },
  { value: "between", name: "Between" },
] as const;

const About = () => (
  <Explain title="What happens here?">
    <p>
      Every image begins as <b>noise</b>: random numbers, one for each pixel. A diffusion model turns noise into an
      image in dozens of small steps. SoFlow and MeanFlow learn where all those steps lead, and jump there <b>in one</b>
      . That is why the images follow your hand.
    </p>
    <p>
      The <b>seed</b> names the noise: the same seed and class always give the same image. More <b>steps</b> cost more
      and can look a little better. Nearby noise gives similar images, which <i>Morph</i> and <i>Between</i> let you
      see.
    </p>
  </Explain>
);

const Counts = () => (
  <label class="field">
    <span class="field-name">Images</span>
    <select
      value={shownCount.value}
      onChange={({ currentTarget }) => {
        count.value = Number(currentTarget.value);
      }}
    >
      {counts.value.map((size) => (
        <option key={size}>{size}</option>
      ))}
    </select>
  </label>
);

/** The tab that draws. */
export const Generate = () => {
  const info = model.value;
  return (
    <section class="tab">
      <div class="controls">
        <Segments label="What to draw" value={mode} choices={MODES} />
        <Seed value={seed} />
        {mode.value === "between" && <Seed name="To seed" value={other} />}
        <ClassChoice classes={info?.classes ?? []} value={label} all={mode.value === "grid"} />
        {canStep.value && <Slider name="Steps" value={steps} min={1} max={Math.max(8, info?.steps ?? 1)} />}
        {mode.value === "grid" && <Counts />}
        <About />
      </div>
      <div class="stage">
        {mode.value === "grid" && <Grid />}
        {mode.value === "plane" && <Plane />}
        {mode.value === "between" && <Between />}
      </div>
    </section>
  );
};
