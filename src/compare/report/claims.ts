import type { Comparison } from "../result.js";
import { gigabytes, number } from "./numbers.js";
import { type Choice, type Row, type Spread, summarise } from "./summary.js";

/** How a stands to b, for numbers of which the lower is the better: "21% lower (better)". */
const against = (a: number, b: number): string => {
  if (a === b) return "the same";
  const change = Math.abs((100 * (a - b)) / b);
  const share = Number.isFinite(change) ? `${change < 10 ? change.toFixed(1) : change.toFixed(0)}% ` : "";
  return a < b ? `${share}lower (better)` : `${share}higher (worse)`;
};

type Pair = { readonly seed: number; readonly a: number; readonly b: number };

/** The seeds that both have. */
const pairs = (a: Spread, b: Spread): Pair[] =>
  a.values.flatMap(({ seed, value }) => {
    const other = b.values.find((each) => each.seed === seed);
    return other ? [{ seed, a: value, b: other.value }] : [];
  });

const verdict = (a: number, b: number): string => (a === b ? "the same" : a < b ? "better" : "worse");

/** " Seed 0: 12.1 against 14.0 (better); …", the sentences after the mean's; nothing for fewer than two. */
const seedBySeed = (a: Spread, b: Spread): string => {
  const both = pairs(a, b);
  if (both.length < 2) return "";
  const each = both.map((pair) => {
    const end = Number.isFinite(pair.a - pair.b) ? ` (${verdict(pair.a, pair.b)})` : "";
    return `seed ${pair.seed}: ${number(pair.a)} against ${number(pair.b)}${end}`;
  });
  return ` S${each.join("; ").slice(1)}.`;
};

const seedsOf = ({ values }: Spread): string =>
  values.length === 1 ? `seed ${values[0]!.seed} alone` : `mean of ${values.length} seeds`;

const usualAt = ({ choices }: Row, n: number): Choice | undefined =>
  choices.find((choice) => choice.usual && choice.evaluations === n);

/** The metric of two methods with one evaluation. */
const quality = (ours: Row, theirs: Row, label: string): string[] => {
  const [a, b] = [usualAt(ours, 1)?.main, usualAt(theirs, 1)?.main];
  if (!a || !b) return [];
  const scores = `With one evaluation ${ours.name} has ${label} ${number(a.mean)} (${seedsOf(a)}) and ${theirs.name} ${number(b.mean)} (${seedsOf(b)})`;
  const end = Number.isFinite(a.mean - b.mean) ? `${ours.name} is ${against(a.mean, b.mean)}` : "no comparison";
  return [`${scores}: ${end}.${seedBySeed(a, b)}`];
};

/** Time and memory of two methods. */
const costs = (ours: Row, theirs: Row): string[] => {
  const ratio = (a: number, b: number): string => (a / b).toFixed(2);
  return [
    `A training step took ${number(ours.secondsPerStep)} s for ${ours.name} and ${number(theirs.secondsPerStep)} s for ${theirs.name}: ${ratio(ours.secondsPerStep, theirs.secondsPerStep)} times as long.`,
    `Training took at most ${gigabytes(ours.peakMemory)} GB of memory for ${ours.name} and ${gigabytes(theirs.peakMemory)} GB for ${theirs.name}: ${ratio(ours.peakMemory, theirs.peakMemory)} times as much.`,
  ];
};

/** One evaluation against two of the same method. */
const secondStep = (row: Row, label: string): string[] => {
  const [one, two] = [usualAt(row, 1), usualAt(row, 2)];
  if (!one || !two) return [];
  const [a, b] = [two.main, one.main];
  const move = `From one evaluation to two, ${row.name} goes from ${label} ${number(b.mean)} to ${number(a.mean)}`;
  const end = Number.isFinite(a.mean - b.mean) ? against(a.mean, b.mean) : "no comparison";
  return [`${move}: ${end}.${seedBySeed(a, b)}`];
};

/**
 * What the numbers say of SoFlow (arXiv:2512.15657) beside MeanFlow (arXiv:2505.13447), whichever way they came out: its
 * paper's claims, to be looked at in this comparison. Nothing where one of the two is not there.
 */
export const claims = (comparison: Comparison): readonly string[] => {
  const rows = summarise(comparison);
  const ofKind = (kind: string): Row[] => rows.filter((row) => row.kind === kind);
  const { label } = comparison.metric;
  const [ours, theirs] = [ofKind("soflow"), ofKind("meanflow")];
  if (ours.length === 0 || theirs.length === 0) return [];
  const both = ours.flatMap((a) => theirs.flatMap((b) => [...quality(a, b, label), ...costs(a, b)]));
  return [...both, ...ours.flatMap((row) => secondStep(row, label))];
};
