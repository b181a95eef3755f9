// SoFlow on eight Gaussians: a solution function f(x_t, t, s) that one evaluation takes from noise to data.
// arXiv:2512.15657
// Training joins two losses: the velocity loss fits ∂_s f at s = t to the flow; the consistency loss asks that
// f(x_t, t, s) = f(x_l, l, s) for l a little before t. Sampling: x = f(ε, 1, 0).
// Run: node examples/soflow.mjs [folder] [steps]
import { drawPoints, drawSamples, evaluation, parseConfig, runTraining } from "soflow";

const [out = "runs/soflow-example", steps = "3000"] = process.argv.slice(2);

const config = parseConfig(
  `
data: { kind: points, name: gaussians8 }
model: { kind: mlp, width: 128, depth: 3 }
objective: { kind: soflow, middle: { schedule: exponent, initial: 0.1, final: 0.005 } }
optimizer: { learningRate: 2.0e-3, schedule: cosine }
ema: { decay: 0.995, warmup: true }
train: { batch: 256, steps: ${steps}, sampleEvery: ${steps}, checkpointEvery: ${steps}, sampleCount: 4096 }
`,
  "soflow",
  [`out=${JSON.stringify(out)}`],
);
const { last } = await runTraining({ config });
console.log(`after ${steps} steps: loss ${last.loss.toFixed(3)}`);

const count = 4000;
const fresh = drawPoints("gaussians8", 0, "test", count);
for (const choice of [
  { sampler: "renoise", steps: 1 },
  { sampler: "renoise", steps: 2 },
  { sampler: "solution", steps: 4 },
]) {
  const { images: points, evaluations } = await drawSamples({ source: out, count, seed: 1, batch: 1000, ...choice });
  const distance = evaluation.slicedWasserstein(points, fresh, { dimensions: 2, projections: 128, seed: 0 });
  console.log(`${choice.sampler}: ${evaluations} evaluations, sliced Wasserstein distance ${distance.toFixed(3)}`);
}
console.log(`samples: ${out}/samples`);
