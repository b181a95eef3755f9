import { escapeHtml } from "../../formats/escape.js";
import type { Comparison } from "../result.js";
import { type Fact, floorOf } from "./facts.js";
import { number } from "./numbers.js";

const metricFact = ({ metric }: Comparison): Fact =>
  metric.key === "frechet"
    ? [
        metric.label,
        "A Fréchet distance (FD). Real and generated images go through the same classifier; each set of its features is summed up by a mean and a covariance, and this is the distance between the two. Lower is better. The name says which features: it is not the FID of papers, whose features are another network's, and it compares only with numbers under exactly this name and from as many samples.",
      ]
    : [
        metric.label,
        "A sliced Wasserstein distance. Generated and fresh points are projected on many directions; on each, it is how far the sorted points lie apart. Lower is better, and 0 would be the same points.",
      ];

const floorFact = (comparison: Comparison): Fact[] => {
  const floor = floorOf(comparison);
  const text = `Fresh data, measured as if they were samples, score ${number(floor ?? 0)}: two finite sets of the same kind never agree exactly. A method cannot be expected to do better, and differences near this size mean little.`;
  return floor === undefined ? [] : [["Floor", text]];
};

const hasAccuracy = ({ methods }: Comparison): boolean =>
  methods.some(({ cells }) => cells.some(({ metrics }) => metrics.accuracy !== undefined));

const secondFact = (comparison: Comparison): Fact =>
  hasAccuracy(comparison)
    ? [
        "Accuracy",
        "The share of samples that a classifier recognises as the label they were drawn for. Higher is better; clear but monotonous samples can score high, so read it beside the distance.",
      ]
    : ["Energy", "The energy distance to fresh data, from distances between pairs; lower is better. A second opinion."];

/** What the words of the page mean, for someone new to the field. */
const factsOf = (comparison: Comparison): readonly Fact[] => [
  [
    "NFE",
    "Number of function evaluations: how often the network runs for one sample. It is nearly all of the cost of drawing. Diffusion and flow matching need tens of evaluations; one-step and few-step methods (consistency models, MeanFlow, SoFlow) are trained to need one or a few.",
  ],
  metricFact(comparison),
  ...floorFact(comparison),
  secondFact(comparison),
  [
    "Own best",
    "The lowest number of a method over every sampler and NFE measured: what it can do when evaluations do not matter. Chosen after the fact, so a little flattering to all.",
  ],
  [
    "Seeds, ±",
    "A seed fixes the initial weights, the batches and all noise. The same seed gives every method the same start. ± is half of the range between seeds; with one seed nothing is known of this spread, and small differences may be luck.",
  ],
  [
    "Seconds per step, peak memory",
    "What training costs on this machine. Methods whose loss needs extra evaluations or derivatives of the network take longer per step, so a budget of steps and one of seconds can rank them otherwise.",
  ],
  [
    "What this is not",
    "A small network and a short training. The order of methods can change with size, data and budget; published results come from far larger networks and longer training.",
  ],
];

/** The section that explains the rest. */
export const guide = (comparison: Comparison): string =>
  `<dl class="guide">\n${factsOf(comparison)
    .map(([term, text]) => `<dt>${escapeHtml(term)}</dt><dd>${escapeHtml(text)}</dd>`)
    .join("\n")}\n</dl>`;
