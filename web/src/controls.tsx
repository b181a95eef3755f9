import type { Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";

type Bounds = { readonly min: number; readonly max: number; readonly step?: number };

/** A named slider with its value. */
export const Slider = ({
  name,
  value,
  show = String,
  ...bounds
}: { name: string; value: Signal<number>; show?: (value: number) => string } & Bounds) => (
  <label class="field">
    <span class="field-name">
      {name} <b class="value">{show(value.value)}</b>
    </span>
    <input
      type="range"
      aria-label={name}
      aria-valuetext={show(value.value)}
      {...bounds}
      value={value.value}
      onInput={({ currentTarget }) => {
        value.value = Number(currentTarget.value);
      }}
    />
  </label>
);

export const MAX_SEED = 999_999;
const wrap = (seed: number): number => (seed + MAX_SEED + 1) % (MAX_SEED + 1);

/** A seed: typed, one on, one back, or any. */
export const Seed = ({ name = "Seed", value }: { name?: string; value: Signal<number> }) => {
  const set = (seed: number): void => {
    if (Number.isInteger(seed) && seed >= 0 && seed <= MAX_SEED) value.value = seed;
  };
  return (
    <div class="field">
      <label class="field-name" for={`seed-${name}`}>
        {name}
      </label>
      <div class="row">
        <button type="button" aria-label={`${name}: one back`} onClick={() => set(wrap(value.value - 1))}>
          −
        </button>
        <input
          id={`seed-${name}`}
          type="number"
          inputMode="numeric"
          min={0}
          max={MAX_SEED}
          value={value.value}
          onInput={({ currentTarget }) => set(currentTarget.valueAsNumber)}
        />
        <button type="button" aria-label={`${name}: one on`} onClick={() => set(wrap(value.value + 1))}>
          +
        </button>
        <button type="button" aria-label={`${name}: any`} onClick={() => set(Math.floor(Math.random() * MAX_SEED))}>
          ⚄
        </button>
      </div>
    </div>
  );
};

type Choice<T> = { readonly value: T; readonly name: string };
const MOST_CHIPS = 24;

/** One of a few, as buttons side by side. */
export const Segments = <T extends string>({
  label,
  value,
  choices,
}: {
  label: string;
  value: Signal<T>;
  choices: readonly Choice<T>[];
}) => (
  <fieldset class="segments">
    <legend class="visually-hidden">{label}</legend>
    {choices.map((choice) => (
      <label key={choice.value} class={choice.value === value.value ? "segment chosen" : "segment"}>
        <input
          type="radio"
          name={label}
          checked={choice.value === value.value}
          onChange={() => {
            value.value = choice.value;
          }}
        />
        {choice.name}
      </label>
    ))}
  </fieldset>
);

/** The class to draw; −1 is every class in turn, where `all` allows that. */
export const ClassChoice = ({
  classes,
  value,
  all = false,
}: {
  classes: readonly string[];
  value: Signal<number>;
  all?: boolean;
}) => {
  if (classes.length === 0) return null;
  const choices = [...(all ? [-1] : []), ...classes.keys()];
  const chosen = Math.max(all ? -1 : 0, Math.min(value.value, classes.length - 1));
  const nameOf = (label: number): string => (label < 0 ? "all" : classes[label]!);
  if (choices.length > MOST_CHIPS)
    return (
      <label class="field">
        <span class="field-name">Class</span>
        <select
          value={chosen}
          onChange={({ currentTarget }) => {
            value.value = Number(currentTarget.value);
          }}
        >
          {choices.map((label) => (
            <option key={label} value={label}>
              {nameOf(label)}
            </option>
          ))}
        </select>
      </label>
    );
  return (
    <fieldset class="field chips">
      <legend class="field-name">Class</legend>
      {choices.map((label) => (
        <button
          key={label}
          type="button"
          class="chip"
          aria-pressed={label === chosen}
          onClick={() => {
            value.value = label;
          }}
        >
          {nameOf(label)}
        </button>
      ))}
    </fieldset>
  );
};

/** What something is, for who has never heard of it. */
export const Explain = ({ title, children }: { title: string; children: ComponentChildren }) => (
  <details class="explain">
    <summary>{title}</summary>
    <div>{children}</div>
  </details>
);
