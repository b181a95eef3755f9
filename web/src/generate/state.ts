import { computed, signal } from "@preact/signals";
import { canStep, inPage, maxCount, model } from "../state.js";

export type Mode = "grid" | "plane" | "between";
export const mode = signal<Mode>("grid");
export const seed = signal(1);
export const other = signal(2);
/** −1: every class in turn. */
export const label = signal(-1);
export const steps = signal(1);
export const count = signal(64);
/** Where in the plane of noise, each from −2 to 2. */
export const spot = signal<readonly [number, number]>([0, 0]);
/** From the first seed, 0, to the other, 1. */
export const blend = signal(0.5);

/** One class, where one image is shown. */
export const oneLabel = computed(() => {
  const classes = model.value?.classes.length ?? 0;
  return Math.max(0, Math.min(label.value, classes - 1));
});

const COUNTS = [16, 36, 64, 100];
const LARGE = 64;
const MOST_LARGE = 16;

/** How many images can be asked for at once; a page makes fewer large ones. */
export const counts = computed(() => {
  const most = inPage.value && (model.value?.size ?? 0) > LARGE ? MOST_LARGE : maxCount.value;
  return COUNTS.filter((size) => size <= most);
});
export const shownCount = computed(() => Math.min(count.value, counts.value.at(-1) ?? 1));

/** The part of a request that all modes share. */
export const common = computed(() => {
  const info = model.value;
  const usual = info?.steps ?? 1;
  const wanted = canStep.value ? steps.value : 1;
  return { model: info?.name ?? "", steps: usual > 1 && wanted === 1 ? usual : wanted };
});
