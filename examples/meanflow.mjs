// MeanFlow on eight Gaussians: the average velocity u(z, r, t) over an interval. arXiv:2505.13447
// The target v − (t − r) du/dt needs the derivative of the network along (v, 0, 1): an exact JVP by the engine's
// forward mode, inside the training program. Sampling: z − (t − r) u(z, r, t), in one step from 1 to 0 or in several.
// Run: node examples/meanflow.mjs [folder] [steps]
import { drawPoints, drawSamples, evaluation, parseConfig, runTraining } from "soflow";

const [out = "runs/meanflow-example", steps = "3000"] = process.argv.slice(2);

const config = parseConfig(
  `
data: { kind: points, name: gaussians8 }
model: { kind: mlp, width: 128, depth: 3 }
objective: { kind: meanflow }
optimizer: { learningRate: 2.0e-3, schedule: cosine }
ema: { decay: 0.995, warmup: true }
train: { batch: 256, steps: ${steps}, sampleEvery: ${steps}, checkpointEvery: ${steps}, sampleCount: 4096 }
`,
  "meanflow",
  [`out=${JSON.stringify(out)}`],
);
const { last } = await runTraining({ config });
console.log(`after ${steps} steps: loss ${last.loss.toFixed(3)}`);

const count = 4000;
const fresh = drawPoints("gaussians8", 0, "test", count);
for (const choice of [
  { sampler: "solution", steps: 1 },
  { sampler: "solution", steps: 2 },
  { sampler: "solution", steps: 4 },
]) {
  const { images: points, evaluations } = await drawSamples({ source: out, count, seed: 1, batch: 1000, ...choice });
  const distance = evaluation.slicedWasserstein(points, fresh, { dimensions: 2, projections: 128, seed: 0 });
  console.log(`${choice.sampler}: ${evaluations} evaluations, sliced Wasserstein distance ${distance.toFixed(3)}`);
}
console.log(`samples: ${out}/samples`);
