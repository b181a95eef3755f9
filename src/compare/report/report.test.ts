import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { escapeHtml } from "../../formats/escape.js";
import type { Cell, Comparison, MethodResult, Metrics } from "../result.js";
import { linearAxis, logAxis } from "./axes.js";
import { NONE } from "./columns.js";
import { claims, htmlReport, markdownReport, terminalReport } from "./index.js";
import { duration, number, spread } from "./numbers.js";
import { spreadOut } from "./plot.js";
import { median, type Row, spreadOf, summarise } from "./summary.js";
import { tableOf } from "./table.js";

const SHEET = "data:image/webp;base64,UklGRg==";

type CellParts = Partial<Omit<Cell, "metrics">> & { readonly metrics: Metrics };

const cell = (evaluations: number, { metrics, ...rest }: CellParts): Cell => ({
  evaluations,
  sampler: "renoise",
  steps: evaluations,
  usual: true,
  sheet: SHEET,
  metrics,
  ...rest,
});

const run = (name: string, kind: string, seed: number, rest: Partial<MethodResult>): MethodResult => ({
  name,
  kind,
  seed,
  steps: 1600,
  secondsPerStep: 0.2,
  trainingSeconds: 320,
  peakMemory: 1.2e9,
  parameters: 1_234_567,
  cells: [],
  curve: [
    [800, 60],
    [1600, 40],
  ],
  curveEvaluations: 1,
  loss: Array.from({ length: 20 }, (_, i) => [80 * (i + 1), Math.cos(i) / (i + 1)] as const),
  ...rest,
});

/** The usual sampler's numbers at 1, 2, 4 … evaluations. */
const usual = (...values: readonly number[]): Cell[] =>
  values.map((frechet, i) => cell(2 ** i, { metrics: { frechet, accuracy: 0.9 + 0.01 * i } }));

const other = (evaluations: number, sampler: string, frechet: number): Cell =>
  cell(evaluations, { sampler, usual: false, metrics: { frechet } });

const METHODS_MADE_UP: readonly MethodResult[] = [
  run("ours", "soflow", 0, { cells: [...usual(12, 10), other(2, "solution", 9)] }),
  run("ours", "soflow", 1, { cells: [...usual(14, 16), other(2, "solution", 8)], secondsPerStep: 0.4 }),
  run("theirs", "meanflow", 0, { cells: usual(20, 18), secondsPerStep: 0.6, peakMemory: 2.4e9 }),
  run("theirs", "meanflow", 1, { cells: usual(13, 11), secondsPerStep: 0.6, peakMemory: 2.5e9 }),
  run("<b>", "flow-matching", 0, { cells: [...usual(200).slice(0, 1), other(64, "heun", 5)], secondsPerStep: 0.1 }),
  run("<b>", "flow-matching", 1, { cells: [...usual(100).slice(0, 1), other(64, "heun", 7)], secondsPerStep: 0.1 }),
];

const made = (methods: readonly MethodResult[] = METHODS_MADE_UP, rest: Partial<Comparison> = {}): Comparison => ({
  format: "soflow-comparison",
  version: 1,
  command: "soflow compare --config compare-glyphs",
  name: "made-up",
  data: "glyphs 16×16",
  network: "patch 4, width 128",
  budget: "1600 steps",
  batch: 64,
  metric: { key: "frechet", label: "FD-glyphs-classifier-1a2b", about: "a distance" },
  samples: 10_000,
  curveSamples: 2000,
  floor: { frechet: 1.25, accuracy: 0.99 },
  evaluations: [1, 2],
  machine: { processor: "a processor", threads: 2, node: "v20.0.0", onnxruntime: "1.30.0", soflow: "0.1.0" },
  methods,
  ...rest,
});

const rowOf = (comparison: Comparison, name: string): Row => summarise(comparison).find((row) => row.name === name)!;

const values = fc.array(fc.double({ min: 0.01, max: 1e4, noNaN: true }), { minLength: 1, maxLength: 9 });

/** The entries of a column of the main table by method. */
const column = (comparison: Comparison, head: string) => {
  const { columns, rows } = tableOf(comparison);
  const i = columns.findIndex((each) => each.head === head);
  return rows.map(({ cells }) => cells[i]!);
};

describe("numbers", () => {
  test("are written with three digits, or an exponent where they are tiny or huge", () => {
    const written = [0, 0.01234, 1.234, 12.34, 1234.5, 1.23e-5, 3.2e9, Number.NaN, Number.POSITIVE_INFINITY].map(
      number,
    );
    expect(written).toEqual(["0.00", "0.0123", "1.23", "12.3", "1235", "1.2e-5", "3.2e9", "nan", "nan"]);
  });

  test("stay within half a percent of what was meant", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1e-3, max: 9e5, noNaN: true }),
        (value) => Math.abs(Number(number(value)) - value) <= 0.0051 * value,
      ),
    );
  });

  test("the half range has the decimals of the mean", () => {
    const of = (...all: number[]) => spreadOf(all.map((value, seed) => ({ seed, value })))!;
    expect([of(12.34), of(12, 14), of(0.0123, 0.0125), of(120, 131)].map((each) => spread(each))).toEqual([
      "12.3",
      "13.0 ±1.0",
      "0.0124 ±0.0001",
      "126 ±6",
    ]);
  });

  test("durations", () => {
    expect([0.4, 59.7, 245, 11_220].map(duration)).toEqual(["0s", "1m 00s", "4m 05s", "3h 07m"]);
  });
});

describe("aggregation", () => {
  test("least ≤ mean ≤ most, and neither order nor repetition changes mean and median", () => {
    fc.assert(
      fc.property(values, (all) => {
        const of = (numbers: readonly number[]) => spreadOf(numbers.map((value, seed) => ({ seed, value })))!;
        const [one, twice] = [of(all), of([...all.toReversed(), ...all])];
        expect(one.least).toBeLessThanOrEqual(one.mean * (1 + 1e-12));
        expect(one.most).toBeGreaterThanOrEqual(one.mean * (1 - 1e-12));
        expect(twice.mean).toBeCloseTo(one.mean, 6);
        expect(median([...all, ...all.toReversed()])).toBeCloseTo(median(all), 6);
      }),
    );
  });

  test("the own best is no worse than any column, and the ratios begin at 1", () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        const rows = summarise(
          made([
            run("a", "soflow", 0, { cells: usual(...a), secondsPerStep: a[0]!, peakMemory: b[0]! }),
            run("b", "meanflow", 0, { cells: usual(...b), secondsPerStep: b[0]!, peakMemory: a[0]! }),
          ]),
        );
        for (const { best, choices } of rows)
          for (const { main } of choices) expect(best!.main.mean).toBeLessThanOrEqual(main.mean);
        expect(Math.min(...rows.map(({ stepRatio }) => stepRatio))).toBe(1);
        expect(Math.min(...rows.map(({ memoryRatio }) => memoryRatio))).toBe(1);
      }),
    );
  });

  test("a row has the usual samplers in its columns, and its best among all samplers", () => {
    const ours = rowOf(made(), "ours");
    expect(ours.seeds).toEqual([0, 1]);
    expect(ours.columns.map((choice) => choice?.main)).toMatchObject([
      { mean: 13, least: 12, most: 14 },
      { mean: 13, least: 10, most: 16 },
    ]);
    expect(ours.best).toMatchObject({ sampler: "solution", evaluations: 2, main: { mean: 8.5 } });
    expect(ours.secondsPerStep).toBeCloseTo(0.3);
    expect(ours.stepRatio).toBeCloseTo(3);
    expect(rowOf(made(), "theirs")).toMatchObject({ peakMemory: 2.5e9, trainingSeconds: 320 });
    expect(rowOf(made(), "<b>").columns[1]).toBeUndefined();
  });

  test("a number that is not finite is not left out of the mean, also after a JSON file made it null", () => {
    const broken = made([
      run("a", "soflow", 0, { cells: usual(Number.NaN, 3) }),
      run("a", "soflow", 1, { cells: usual(2, 5) }),
      run("b", "meanflow", 0, { cells: usual(4, 4) }),
    ]);
    for (const comparison of [broken, JSON.parse(JSON.stringify(broken)) as Comparison]) {
      expect(rowOf(comparison, "a").columns[0]!.main.mean).toBeNaN();
      expect(rowOf(comparison, "a").best).toMatchObject({ evaluations: 2, main: { mean: 4 } });
      expect(column(comparison, "NFE 1")).toMatchObject([
        { text: "nan", best: false },
        { text: "4.00", best: true },
      ]);
      expect(htmlReport(comparison)).not.toMatch(/="[^"]*NaN|points="[^"]*Infinity/);
    }
  });

  test("a choice that one seed lacks is not the best while others are whole", () => {
    const lucky = made([
      run("a", "soflow", 0, { cells: [...usual(5), other(4, "solution", 1)] }),
      run("a", "soflow", 1, { cells: usual(5) }),
    ]);
    expect(rowOf(lucky, "a").best).toMatchObject({ evaluations: 1, main: { mean: 5 } });
  });
});

describe("the table", () => {
  test("marks the best of each column, and all that are equal to it", () => {
    const marks = (head: string): boolean[] => column(made(), head).map(({ best }) => best);
    expect(marks("NFE 1")).toEqual([true, false, false]);
    expect(marks("own best")).toEqual([false, false, true]);
    expect(marks("with")).toEqual([false, false, false]);
    expect(marks("accuracy @1")).toEqual([true, true, true]);
    expect(marks("s/step")).toEqual([false, false, true]);
    expect(marks("peak GB")).toEqual([true, false, true]);
  });

  test("the higher accuracy is the better one", () => {
    const accurate = (name: string, accuracy: number) =>
      run(name, "edm", 0, { cells: [cell(1, { metrics: { frechet: 1, accuracy } })] });
    const comparison = made([accurate("a", 0.5), accurate("b", 0.75)]);
    expect(column(comparison, "accuracy @1")).toMatchObject([
      { text: "50.0%", best: false },
      { text: "75.0%", best: true },
    ]);
  });

  test("points have energy distances in place of accuracy, and steps are shown where they differ", () => {
    const metrics = { slicedWasserstein: 0.05, energy: 0.002 };
    const methods = [100, 200].map((steps) => run(`m${steps}`, "edm", 0, { steps, cells: [cell(1, { metrics })] }));
    const metric = { key: "slicedWasserstein", label: "sliced Wasserstein", about: "a distance" } as const;
    const comparison = made(methods, { metric, floor: {} });
    const heads = tableOf(comparison).columns.map(({ head }) => head);
    expect(heads).toEqual(
      expect.arrayContaining(["NFE 1", "own best", "energy @1", "@best", "steps", "s/step", "peak GB", "training"]),
    );
    expect(heads).not.toContain("accuracy @1");
    expect(column(comparison, "steps").map(({ text }) => text)).toEqual(["100", "200"]);
    expect(htmlReport(comparison)).not.toContain("Floor");
  });

  test("every text of it is in each report", () => {
    const { rows } = tableOf(made());
    const [terminal, markdown, html] = [terminalReport(made()), markdownReport(made()), htmlReport(made())];
    for (const { text } of rows.flatMap(({ cells }) => cells))
      for (const report of [terminal, markdown, html]) expect(report).toContain(text);
    for (const report of [terminal, markdown, html]) expect(report).toContain(NONE);
  });
});

/** Groups of lines between empty ones that have a rule, which only tables do. */
const tablesOf = (report: string): string[][] =>
  report
    .split("\n\n")
    .map((block) => block.split("\n"))
    .filter((lines) => lines.some((line) => /^─+$/.test(line)));

describe("for a terminal", () => {
  test("all lines of a table have the same width, one table where it fits and two where not", () => {
    const wide = made(METHODS_MADE_UP, { evaluations: [1, 2, 4, 8, 16] });
    const short = made(METHODS_MADE_UP.filter(({ seed }) => seed === 0));
    for (const [comparison, count] of [
      [wide, 2],
      [short, 1],
    ] as const) {
      const tables = tablesOf(terminalReport(comparison));
      expect(tables).toHaveLength(count);
      for (const lines of tables) expect(new Set(lines.map((line) => [...line].length)).size).toBe(1);
    }
  });

  test("no line is wider than 110, and ± is explained where it is used", () => {
    const [two, one] = [made(), made(METHODS_MADE_UP.filter(({ seed }) => seed === 0))].map(terminalReport);
    for (const line of `${two}\n${one}`.split("\n")) expect([...line].length).toBeLessThanOrEqual(110);
    expect(two).toContain("± half the range over seeds");
    expect(one).not.toContain("±");
  });

  test("the best has a star", () => {
    const line = terminalReport(made())
      .split("\n")
      .find((each) => each.startsWith("ours"));
    expect(line).toMatch(/^ours\s+13\.0 ±1\.0\*\s+13\.0 ±3\.0\*\s+8\.50 ±0\.50\s+2 solution/);
  });
});

describe("as Markdown", () => {
  test("every row of the table has the same number of columns, whatever the names", () => {
    const odd = made(METHODS_MADE_UP.map((each) => ({ ...each, name: `${each.name}|*a*\n_[x]` })));
    const lines = markdownReport(odd)
      .split("\n")
      .filter((line) => line.startsWith("|"));
    const columns = (line: string): number => line.replace(/\\./g, "").split("|").length;
    expect(lines).toHaveLength(5);
    expect(new Set(lines.map(columns)).size).toBe(1);
    expect(markdownReport(odd)).not.toMatch(/<b>|[^\\]\*a/);
  });

  test("the best is bold", () => {
    expect(markdownReport(made())).toContain("| ours | **13.0 ±1.0** | **13.0 ±3.0** | 8.50 ±0.50 | 2 solution |");
  });
});

describe("as a page", () => {
  test("loads nothing from elsewhere and runs nothing", () => {
    const page = htmlReport(made());
    const urls = [...page.matchAll(/\b(?:src|href|srcset|action)="([^"]*)"/g)].map(([, url]) => url!);
    expect(urls.length).toBeGreaterThan(0);
    for (const url of urls) expect(url).toMatch(/^data:image/);
    expect(page).not.toMatch(/<script|<link|@import|url\(|https?:\/\//);
  });

  test("names are text, in elements and attributes", () => {
    const hostile = `"><img src=x onerror='1'>&`;
    const page = htmlReport(
      made(
        METHODS_MADE_UP.map((each) => ({
          ...each,
          name: hostile + each.name,
          kind: each.kind === "flow-matching" ? "constructor" : each.kind,
          cells: each.cells.map((one) => ({ ...one, sheet: `${SHEET}"onload="1`, sampler: hostile })),
        })),
        { name: hostile, data: hostile, network: hostile, metric: { key: "frechet", label: hostile, about: hostile } },
      ),
    );
    expect(page).not.toMatch(/<b>|<img src=x|"onload=/);
    expect(htmlReport(made())).toContain("&lt;b&gt;");
    expect(htmlReport(made())).not.toContain("<b>");
    expect(escapeHtml(`<a b="c" d='e'>&`)).toBe("&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
  });

  test("every element that is opened is closed in order", () => {
    const open: string[] = [];
    for (const [, end, name] of htmlReport(made()).matchAll(/<(\/?)([a-z]\w*)(?:"[^"]*"|[^">])*?(?<!\/)>/g))
      if (end) expect(open.pop()).toBe(name);
      else if (!/^(meta|img|br)$/.test(name!)) open.push(name!);
    expect(open).toEqual([]);
  });

  test("each drawing has a title, each sheet words for those who do not see it", () => {
    const page = htmlReport(made());
    expect(page.match(/<svg/g)).toHaveLength(2 + 2 + 3);
    expect(page.match(/<svg[^>]*><title>/g)).toHaveLength(2 + 2 + 3);
    const images = page.match(/<img [^>]*>/g)!;
    expect(images).toHaveLength(6); // 2 + 2 columns, and a column and the longest sampler of the third method
    for (const image of images) expect(image).toMatch(/alt="Samples of [^"]+ from seed 0, NFE \d+, sampler \w+"/);
  });

  test("is whole without cells, curves and losses", () => {
    const page = htmlReport(made([run("a", "edm", 0, { curve: [], loss: [] })]));
    expect(page).not.toMatch(/<h2>Quality|<h2>Loss|NaN|Infinity|undefined/);
    expect(page).toContain("All 0 measurements");
  });

  test("no drawing has a number that is none, whatever the values", () => {
    fc.assert(
      fc.property(values, (all) => {
        const loss = all.map((value, i) => [i + 1, value - all[0]!] as const);
        const page = htmlReport(made([run("a", "edm", 0, { cells: usual(...all), curve: loss, loss })]));
        expect(page).not.toMatch(/NaN|Infinity|undefined/);
      }),
      { numRuns: 30 },
    );
  });
});

describe("drawing", () => {
  test("an axis places its values and ticks inside, in order, and every axis has ticks", () => {
    fc.assert(
      fc.property(values, (all) => {
        for (const axis of [logAxis("", all), linearAxis("", all), linearAxis("", all, true)]) {
          const places = [...all, ...axis.ticks].toSorted((a, b) => a - b).map(axis.place);
          expect(axis.ticks.length).toBeGreaterThan(1);
          expect(Math.min(...places)).toBeGreaterThanOrEqual(-1e-9);
          expect(Math.max(...places)).toBeLessThanOrEqual(1 + 1e-9);
          expect(places).toEqual(places.toSorted((a, b) => a - b));
        }
      }),
    );
  });

  test("labels keep their distance, their order and the frame", () => {
    const heights = fc.array(fc.double({ min: 0, max: 300, noNaN: true }), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(heights, (wanted) => {
        const order = wanted.map((_, i) => i).toSorted((a, b) => wanted[a]! - wanted[b]!);
        const placed = spreadOut(wanted, 18, 10, 290);
        const sorted = order.map((i) => placed[i]!);
        for (const [k, at] of sorted.entries()) {
          expect(at).toBeGreaterThanOrEqual(10 - 1e-9);
          expect(at).toBeLessThanOrEqual(290 + 1e-9);
          if (k > 0) expect(at - sorted[k - 1]!).toBeGreaterThanOrEqual(18 - 1e-9);
        }
      }),
    );
  });
});

describe("claims", () => {
  test("say what the numbers say, with the seeds that disagree", () => {
    expect(claims(made())).toEqual([
      "With one evaluation ours has FD-glyphs-classifier-1a2b 13.0 (mean of 2 seeds) and theirs 16.5 (mean of 2 seeds): ours is 21% lower (better). Seed 0: 12.0 against 20.0 (better); seed 1: 14.0 against 13.0 (worse).",
      "A training step took 0.300 s for ours and 0.600 s for theirs: 0.50 times as long.",
      "Training took at most 1.20 GB of memory for ours and 2.50 GB for theirs: 0.48 times as much.",
      "From one evaluation to two, ours goes from FD-glyphs-classifier-1a2b 13.0 to 13.0: the same. Seed 0: 10.0 against 12.0 (better); seed 1: 16.0 against 14.0 (worse).",
    ]);
  });

  test("turn round when the numbers do", () => {
    const swapped = METHODS_MADE_UP.map((each) => ({
      ...each,
      kind: each.kind === "soflow" ? "meanflow" : each.kind === "meanflow" ? "soflow" : each.kind,
    }));
    const [quality, time, memory, second] = claims(made(swapped));
    expect(quality).toContain("theirs is 27% higher (worse). Seed 0: 20.0 against 12.0 (worse)");
    expect(time).toContain("2.00 times as long");
    expect(memory).toContain("2.08 times as much");
    expect(second).toContain("from FD-glyphs-classifier-1a2b 16.5 to 14.5: 12% lower (better)");
  });

  test("lower is better for every pair of numbers", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 500 }), (a, b) => {
        const methods = [run("a", "soflow", 0, { cells: usual(a) }), run("b", "meanflow", 0, { cells: usual(b) })];
        const word = a === b ? "the same" : a < b ? "lower (better)" : "higher (worse)";
        expect(claims(made(methods))[0]).toContain(word);
      }),
    );
  });

  test("are made for nothing that was not measured or is not finite", () => {
    const one = (cells: readonly Cell[]) =>
      claims(made([run("a", "soflow", 0, { cells }), run("b", "meanflow", 0, { cells: usual(2) })]));
    expect(one([])).toHaveLength(2);
    expect(one(usual(Number.NaN))[0]).toMatch(/a has \S+ nan \(seed 0 alone\) .*: no comparison\.$/);
    expect(claims(made(METHODS_MADE_UP.filter(({ kind }) => kind !== "meanflow")))).toEqual([]);
  });
});
