import { computed, effect, signal } from "@preact/signals";
import type { RunInfo, RunMetrics } from "../../../src/serve/protocol.js";
import { ask } from "../http.js";
import { connection, noteFailure, token } from "../state.js";

export const runs = signal<readonly RunInfo[] | undefined>(undefined);
export const curves = signal<Readonly<Record<string, RunMetrics>>>({});
/** Names of the runs that are shown; the first ones until someone chooses. */
export const chosen = signal<readonly string[] | undefined>(undefined);
export const metric = signal("");
export const logarithmic = signal(false);

const SHOWN_AT_FIRST = 4;
const shownAtFirst = (all: readonly RunInfo[]): readonly string[] => {
  const active = all.filter((run) => run.active);
  return (active.length > 0 ? active : all).slice(0, SHOWN_AT_FIRST).map(({ name }) => name);
};
export const shown = computed(() => chosen.value ?? shownAtFirst(runs.value ?? []));

/** What the names of all runs begin with, whole folders of it: it need not be said of each. */
const sharedFolder = computed(() => {
  const [first = [], ...others] = (runs.value ?? []).map(({ name }) => name.split("/"));
  const differs = first.findIndex((part, i) => i === first.length - 1 || others.some((other) => other[i] !== part));
  return first
    .slice(0, Math.max(0, differs))
    .map((part) => `${part}/`)
    .join("");
});
export const shortName = (name: string): string => name.slice(sharedFolder.value.length) || name || "this folder";

/** Metrics of the shown runs, those that most of them have first. */
export const metricNames = computed(() => {
  const counts = new Map<string, number>();
  for (const name of shown.value)
    for (const own of Object.keys(curves.value[name]?.values ?? {})) counts.set(own, (counts.get(own) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a).map(([name]) => name);
});
export const shownMetric = computed(() =>
  metricNames.value.includes(metric.value) ? metric.value : (metricNames.value[0] ?? ""),
);

/** Colours of lines, told apart also by those who see few colours (Okabe and Ito). */
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b5a800", "#8c6bb1"];
export const colourOf = (name: string): string => {
  const place = (runs.value ?? []).findIndex((run) => run.name === name);
  return COLOURS[Math.max(0, place) % COLOURS.length]!;
};

export const toggle = (name: string): void => {
  chosen.value = shown.value.includes(name) ? shown.value.filter((other) => other !== name) : [...shown.value, name];
};

const joined = (before: RunMetrics | undefined, more: RunMetrics): RunMetrics => {
  if (!before || before.steps.length === 0) return more;
  const names = [...new Set([...Object.keys(before.values), ...Object.keys(more.values)])];
  const column = (part: RunMetrics, name: string) => part.values[name] ?? part.steps.map(() => null);
  const values = Object.fromEntries(names.map((name) => [name, [...column(before, name), ...column(more, name)]]));
  return { steps: [...before.steps, ...more.steps], values };
};

const refreshCurve = async ({ name, step }: RunInfo): Promise<void> => {
  const known = curves.value[name];
  const after = known?.steps.at(-1) ?? -1;
  if (step === after) return;
  const from = step < after ? -1 : after; // a run that went back to a checkpoint is read anew
  const query = new URLSearchParams({ run: name, after: String(from) });
  const more = (await (await ask(`v1/runs/metrics?${query}`, token.value)).json()) as RunMetrics;
  curves.value = { ...curves.value, [name]: joined(from < 0 ? undefined : known, more) };
};

/** Reads what is new of the runs that are shown. */
export const refresh = async (): Promise<void> => {
  if (connection.value !== "online") return;
  try {
    const list = (await (await ask("v1/runs", token.value)).json()) as { runs: RunInfo[] };
    runs.value = list.runs;
    await Promise.all(list.runs.filter(({ name }) => shown.value.includes(name)).map(refreshCurve));
  } catch (thrown) {
    noteFailure(thrown);
  }
};

const EVERY_MS = 2000;

/** Keeps reading while the tab is open; returns what ends that. */
export const follow = (): (() => void) => {
  const stopEffect = effect(() => {
    void [connection.value, chosen.value];
    void refresh();
  });
  const timer = setInterval(() => {
    if (!document.hidden) void refresh();
  }, EVERY_MS);
  return () => {
    stopEffect();
    clearInterval(timer);
  };
};
