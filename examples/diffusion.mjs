// Diffusion on eight Gaussians: predict the noise, then remove it little by little. arXiv:2006.11239
// Training fits ε̂(x_i, i) at one of 1,000 noise levels; sampling goes back through them, all or some: with fresh noise
// (ancestral) or without (ddim). objective.kind edm is the same idea with EDM's preconditioning and sampler.
// Run: node examples/diffusion.mjs [folder] [steps]
import { drawPoints, drawSamples, evaluation, parseConfig, runTraining } from "soflow";

const [out = "runs/diffusion-example", steps = "3000"] = process.argv.slice(2);

const config = parseConfig(
  `
data: { kind: points, name: gaussians8 }
model: { kind: mlp, width: 128, depth: 3 }
objective: { kind: ddpm }
optimizer: { learningRate: 2.0e-3, schedule: cosine }
ema: { decay: 0.995, warmup: true }
train: { batch: 256, steps: ${steps}, sampleEvery: ${steps}, checkpointEvery: ${steps}, sampleCount: 4096 }
`,
  "diffusion",
  [`out=${JSON.stringify(out)}`],
);
const { last } = await runTraining({ config });
console.log(`after ${steps} steps: loss ${last.loss.toFixed(3)}`);

const count = 4000;
const fresh = drawPoints("gaussians8", 0, "test", count);
for (const choice of [
  { sampler: "ddim", steps: 1 },
  { sampler: "ddim", steps: 8 },
  { sampler: "ancestral", steps: 100 },
]) {
  const { images: points, evaluations } = await drawSamples({ source: out, count, seed: 1, batch: 1000, ...choice });
  const distance = evaluation.slicedWasserstein(points, fresh, { dimensions: 2, projections: 128, seed: 0 });
  console.log(`${choice.sampler}: ${evaluations} evaluations, sliced Wasserstein distance ${distance.toFixed(3)}`);
}
console.log(`samples: ${out}/samples`);
