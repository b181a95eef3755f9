// Train a small model on drawn digits and draw from it, as a program: node examples/train-and-sample.mjs [folder]
import { parseConfig, runTraining, sampleToFiles } from "soflow";

const out = process.argv[2] ?? "runs/example";

const config = parseConfig(
  `
data: { kind: glyphs, size: 16 }
model: { patch: 4, width: 64, depth: 2, heads: 2 }
optimizer: { learningRate: 1.0e-3, warmupSteps: 5 }
ema: { decay: 0.95, warmup: true }
train: { steps: 20, batch: 16, sampleCount: 16 }
`,
  "example",
  [`out=${JSON.stringify(out)}`],
);

const { step, last } = await runTraining({
  config,
  onProgress: ({ step, steps, values }) =>
    step % 5 === 0 && console.log(`${step}/${steps} loss ${values.loss?.toFixed(3)}`),
});
console.log(`after ${step} steps: velocity error ${last.velocity_mse?.toFixed(3)}`);

await sampleToFiles({
  source: `${out}/model`,
  count: 20,
  steps: 1, // network evaluations per image
  labels: [3, 5],
  seed: 0,
  batch: 20,
  out: { path: `${out}/threes-and-fives.png`, kind: "png" },
  scale: 4,
  weights: "ema",
});
console.log(`${out}/threes-and-fives.png`);
