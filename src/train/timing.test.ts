import { expect, test } from "vitest";
import { parseConfig } from "./config/index.js";
import { timeTraining } from "./run.js";

const config = (microBatches: number) =>
  parseConfig(
    `data: { kind: glyphs, size: 8, samples: 100 }
model: { patch: 4, width: 16, depth: 1, heads: 2 }
objective: { kind: soflow, velocityShare: 0.5 }
train: { steps: 5, batch: 8, microBatches: ${microBatches}, threads: 1 }
`,
    "timing",
  );

test.each([1, 2, 4])("a step of %i parts is timed as it is trained", async (parts) => {
  const seconds = await timeTraining(config(parts), { warmUp: 1, steps: 2 });
  expect(seconds).toBeGreaterThan(0);
});
