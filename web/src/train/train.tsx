import { useEffect } from "preact/hooks";
import { Explain } from "../controls.js";
import { Chart } from "./chart.js";
import { Samples } from "./samples.js";
import {
  colourOf,
  follow,
  logarithmic,
  metric,
  metricNames,
  runs,
  shortName,
  shown,
  shownMetric,
  toggle,
} from "./state.js";

const RunList = () => (
  <fieldset class="field runs">
    <legend class="field-name">Runs</legend>
    {(runs.value ?? []).map(({ name, method, step, active }) => (
      <label key={name} class="run">
        <input type="checkbox" checked={shown.value.includes(name)} onChange={() => toggle(name)} />
        <span class="swatch" style={{ background: colourOf(name) }} />
        <span class="run-name">{shortName(name)}</span>
        <small>
          {method}, step {step}
          {active && <b class="active"> training</b>}
        </small>
      </label>
    ))}
  </fieldset>
);

const MetricChoice = () => (
  <div class="row wrap">
    <label class="field grow">
      <span class="field-name">Curve</span>
      <select
        value={shownMetric.value}
        onChange={({ currentTarget }) => {
          metric.value = currentTarget.value;
        }}
      >
        {metricNames.value.map((name) => (
          <option key={name} value={name}>
            {name.replaceAll("_", " ")}
          </option>
        ))}
      </select>
    </label>
    <label class="check">
      <input
        type="checkbox"
        checked={logarithmic.value}
        onChange={({ currentTarget }) => {
          logarithmic.value = currentTarget.checked;
        }}
      />
      logarithmic
    </label>
  </div>
);

const About = () => (
  <Explain title="What do these curves say?">
    <p>
      A model learns in steps; each looks at a few images. A <b>loss</b> that falls says that it learns; it need not
      fall to zero. What counts are the <b>samples</b> below: drag their sliders to see the images appear.
    </p>
  </Explain>
);

const None = () => (
  <p class="empty">
    {runs.value ? "There are no runs here. Start the server with " : "Looking for runs… "}
    {runs.value && <code>soflow serve MODEL --runs runs</code>}
    {runs.value && ", where runs is the folder that soflow train writes to."}
  </p>
);

/** The tab that watches training. */
export const Train = () => {
  useEffect(follow, []);
  if (!runs.value || runs.value.length === 0) return <None />;
  return (
    <section class="tab">
      <div class="controls">
        <RunList />
        <MetricChoice />
        <About />
      </div>
      <div class="stage">
        <Chart />
        <Samples />
      </div>
    </section>
  );
};
