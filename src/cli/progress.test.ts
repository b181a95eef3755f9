import fc from "fast-check";
import { expect, test } from "vitest";
import {
  createProgress,
  formatDuration,
  formatNumber,
  formatProgress,
  rateOf,
  type TimedProgress,
} from "./progress.js";

const progress: TimedProgress = {
  step: 120,
  steps: 3000,
  values: { loss: 0.51234, velocity_mse: 1.25, consistency_mse: 0.00012 },
  stepsPerSecond: 3.2,
};

test("a line never exceeds its width, and keeps the step first", () => {
  const numbers = fc.dictionary(fc.stringMatching(/^[a-z_]{1,20}$/), fc.double(), { maxKeys: 6 });
  fc.assert(
    fc.property(numbers, fc.integer({ min: 0, max: 200 }), fc.double(), (values, width, stepsPerSecond) => {
      const line = formatProgress({ step: 7, steps: 1000, values, stepsPerSecond }, width);
      expect(line.length).toBeLessThanOrEqual(width);
      expect(line.startsWith("step    7/1000".slice(0, width))).toBe(true);
    }),
  );
});

test("colour changes no visible character", () => {
  for (const width of [20, 60, 200])
    expect(formatProgress(progress, width, true).replaceAll("\u001b[2m", "").replaceAll("\u001b[22m", "")).toBe(
      formatProgress(progress, width),
    );
  expect(formatProgress(progress, 200, true)).toContain("\u001b[2mloss\u001b[22m 0.5123");
});

test("narrow lines drop the last values first", () => {
  expect(formatProgress(progress)).toBe(
    "step  120/3000  loss 0.5123  velocity_mse 1.25  consistency_mse 1.2e-4  3.2 steps/s  15m 00s left",
  );
  expect(formatProgress(progress, 76)).toBe(
    "step  120/3000  loss 0.5123  velocity_mse 1.25  3.2 steps/s  15m 00s left",
  );
  expect(formatProgress(progress, 20)).toBe("step  120/3000");
});

test("numbers and durations", () => {
  expect([0, 0.0123456, -1.23456, 2e-7, 1234567, 99999, Number.NaN].map(formatNumber)).toEqual([
    "0",
    "0.01235",
    "-1.235",
    "2e-7",
    "1.2e6",
    "100000",
    "nan",
  ]);
  expect([0, 59.4, 59.6, 245, 3599.6, 11220, 187200].map(formatDuration)).toEqual([
    "0s",
    "59s",
    "1m 00s",
    "4m 05s",
    "1h 00m",
    "3h 07m",
    "2d 04h",
  ]);
});

test("the rate is unknown until two marks", () => {
  expect(rateOf([])).toBeNaN();
  expect(rateOf([{ step: 1, at: 0 }])).toBeNaN();
  expect(
    rateOf([
      { step: 1, at: 0 },
      { step: 11, at: 2000 },
    ]),
  ).toBe(5);
});

/** Runs 100 steps, a second each, and returns what was written. */
const recorded = (isTTY: boolean): readonly string[] => {
  const written: string[] = [];
  let clock = 0;
  const shown = createProgress(
    { isTTY, columns: 60, write: (text) => written.push(text) },
    { now: () => clock, color: false },
  );
  for (let step = 1; step <= 100; step++) {
    clock += 1000;
    shown.update({ step, steps: 100, values: { loss: 1 } });
  }
  shown.note("saved");
  shown.done();
  return written;
};

test("in a pipe: whole plain lines, the first step, every ten seconds, the last", () => {
  const lines = recorded(false);
  for (const line of lines) expect(line).toMatch(/^[\x20-\x7e]+\n$/);
  expect(lines.map((line) => /step +(\d+)/.exec(line)?.[1])).toEqual([
    "1",
    "11",
    "21",
    "31",
    "41",
    "51",
    "61",
    "71",
    "81",
    "91",
    "100",
    undefined,
  ]);
  expect(lines[1]).toBe("step  11/100  loss 1  1 steps/s  1m 29s left\n");
  expect(lines.at(-1)).toBe("saved\n");
});

test("on a terminal: one line redrawn in place, notes above it, a line break at the end", () => {
  const written = recorded(true);
  expect(written).toHaveLength(102);
  for (const text of written.slice(0, 100)) {
    expect(text.startsWith("\r") && text.endsWith("\u001b[K")).toBe(true);
    expect(text.slice(1, -3)).toMatch(/^[^\n]{1,59}$/);
  }
  expect(written[100]).toBe("\r\u001b[Ksaved\nstep 100/100  loss 1  1 steps/s");
  expect(written[101]).toBe("\n");
});

test("on a terminal, quick steps are not each drawn", () => {
  let clock = 0;
  let writes = 0;
  const shown = createProgress({ isTTY: true, write: () => writes++ }, { now: () => clock });
  for (let step = 1; step <= 1000; step++) {
    clock += 1;
    shown.update({ step, steps: 1000, values: {} });
  }
  expect(writes).toBe(11);
});
