import { escapeHtml } from "../../formats/escape.js";
import { methods as known } from "../../methods/index.js";
import type { Comparison } from "../result.js";
import { costCharts } from "./bars.js";
import { curveChart, lossCharts, qualityChart } from "./charts.js";
import { claims } from "./claims.js";
import { type Fact, machineOf, setting } from "./facts.js";
import { guide } from "./guide.js";
import { colourClass, paragraph, section } from "./markup.js";
import { sheets } from "./sheets.js";
import { STYLE } from "./style.js";
import { choicesTable, groupsTable } from "./tables.js";

/** Nothing but what the page holds itself may be loaded by it. */
const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

const described = (kind: string): string => {
  const method = known().find((one) => one.kind === kind);
  return method ? `${method.name}, ${method.paper}` : kind;
};

/** The methods by colour, each with what it is and its paper. */
const methodList = ({ methods }: Comparison): string => {
  const names = [...new Set(methods.map(({ name }) => name))];
  const items = names.map((name, i) => {
    const { kind } = methods.find((run) => run.name === name)!;
    return `<span class="${colourClass(i)}"><i class="dot"></i>${escapeHtml(name)}</span> (${escapeHtml(described(kind))})`;
  });
  return `<dt>methods</dt><dd>${items.join("<br>")}</dd>`;
};

const factHtml = ([name, text]: Fact): string => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(text)}</dd>`;

const header = (comparison: Comparison): string => {
  const { name, data, budget, evaluations } = comparison;
  const lead = `Every method trained alike: ${budget}, from the same initial weights and on the same batches. Measured with ${evaluations.join(", ")} network ${evaluations.at(-1) === 1 ? "evaluation" : "evaluations"} per sample.`;
  return `<header>
<p class="kicker">soflow compare · ${escapeHtml(name)}</p>
<h1>Generative methods on ${escapeHtml(data)}</h1>
${paragraph(lead, "lead")}
<dl class="facts">
${setting(comparison).map(factHtml).join("\n")}
${methodList(comparison)}
</dl>
</header>`;
};

const results = (comparison: Comparison): string =>
  section(
    "Result",
    paragraph(
      `${comparison.metric.label} at each number of evaluations (NFE), lower is better; best of a column in bold.`,
    ),
    groupsTable(comparison, "Quality", "quality", "second"),
    paragraph(
      "± is half of the range over seeds; – was not measured. A number's title, and the last table, say what each seed gave.",
      "note",
    ),
  );

const findings = (comparison: Comparison): readonly string[] => {
  const found = claims(comparison);
  if (found.length === 0) return [];
  const list = `<ul>\n${found.map((text) => `<li>${escapeHtml(text)}</li>`).join("\n")}\n</ul>`;
  return [section("SoFlow beside MeanFlow", list)];
};

const samples = (comparison: Comparison): string =>
  section(
    "Samples",
    paragraph("The first samples of each method's first seed, not chosen, with the sampler and its number."),
    sheets(comparison),
  );

const quality = (comparison: Comparison): readonly string[] => {
  const charts = [qualityChart(comparison), curveChart(comparison)].filter((chart) => chart !== "");
  return charts.length > 0 ? [section("Quality", `<div class="pair">\n${charts.join("\n")}\n</div>`)] : [];
};

const losses = (comparison: Comparison): readonly string[] => {
  const charts = lossCharts(comparison);
  const text =
    "What each training minimised, against steps, with its moving average. The losses measure different things: they are not comparable between methods, and each has an axis of its own.";
  return charts === "" ? [] : [section("Loss through training", paragraph(text), charts)];
};

const reproduction = (comparison: Comparison): string => {
  const [, machine] = machineOf(comparison);
  return section(
    "Machine and command",
    paragraph(machine),
    `<p><code>${escapeHtml(comparison.command)}</code></p>`,
    paragraph("The whole configuration is compare.yaml beside this page, and every number is in results.json.", "note"),
  );
};

/** The result of a comparison as one HTML page that needs no other file and no script. */
export const htmlReport = (comparison: Comparison): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${escapeHtml(`${comparison.name}: generative methods on ${comparison.data}`)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${[
  header(comparison),
  results(comparison),
  ...findings(comparison),
  samples(comparison),
  ...quality(comparison),
  section("Cost of training", groupsTable(comparison, "Cost", "cost"), costCharts(comparison)),
  ...losses(comparison),
  section("Every measurement", choicesTable(comparison)),
  section("How to read this", guide(comparison)),
  reproduction(comparison),
].join("\n")}
</main>
</body>
</html>
`;
