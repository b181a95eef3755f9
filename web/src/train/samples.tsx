import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { RunInfo } from "../../../src/serve/protocol.js";
import { ask } from "../http.js";
import { noteFailure, token } from "../state.js";
import { colourOf, runs, shortName, shown } from "./state.js";

/** The address of a picture in memory; a token travels in a header, which the source of an image cannot have. */
const usePicture = (run: string, step: number | undefined): string | undefined => {
  const address = useSignal<string | undefined>(undefined);
  useEffect(() => {
    if (step === undefined) return;
    let own: string | undefined;
    let left = false;
    const query = new URLSearchParams({ run, step: String(step) });
    ask(`v1/runs/samples?${query}`, token.value)
      .then((response) => response.blob())
      .then((blob) => {
        if (left) return;
        own = URL.createObjectURL(blob);
        address.value = own;
      })
      .catch(noteFailure);
    return () => {
      left = true;
      if (own) URL.revokeObjectURL(own);
    };
  }, [run, step]);
  return address.value;
};

/** A run's samples, and a slider through its training; at its end it stays with the newest. */
const RunSamples = ({ run }: { run: RunInfo }) => {
  const back = useSignal(0);
  const last = run.samples.length - 1;
  const place = Math.max(0, last - back.value);
  const picture = usePicture(run.name, run.samples[place]);
  return (
    <figure class="samples">
      <figcaption>
        <span class="swatch" style={{ background: colourOf(run.name) }} /> {shortName(run.name)}, step{" "}
        {run.samples[place]}
      </figcaption>
      {picture && (
        <img src={picture} alt={`samples of ${run.name} at step ${run.samples[place]}`} class="picture pixelated" />
      )}
      {last > 0 && (
        <input
          type="range"
          aria-label={`${run.name}: time`}
          min={0}
          max={last}
          value={place}
          onInput={({ currentTarget }) => {
            back.value = last - Number(currentTarget.value);
          }}
        />
      )}
    </figure>
  );
};

/** Samples of the chosen runs, side by side. */
export const Samples = () => (
  <div class="sample-grid">
    {(runs.value ?? [])
      .filter(({ name, samples }) => shown.value.includes(name) && samples.length > 0)
      .map((run) => (
        <RunSamples key={run.name} run={run} />
      ))}
  </div>
);
