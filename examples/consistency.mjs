// Consistency training on eight Gaussians: every point of a trajectory maps to its end. arXiv:2310.14189
// Training asks that f(x_σ, σ) = f(x_σ′, σ′) for neighbouring noise levels, which double in number on the way.
// objective.kind consistency is the first version, consistency-distillation learns from a trained edm model.
// Run: node examples/consistency.mjs [folder] [steps]
import { drawPoints, drawSamples, evaluation, parseConfig, runTraining } from "soflow";

const [out = "runs/consistency-example", steps = "3000"] = process.argv.slice(2);

const config = parseConfig(
  `
data: { kind: points, name: gaussians8 }
model: { kind: mlp, width: 128, depth: 3 }
objective: { kind: improved-consistency, curriculum: { s0: 10, s1: 160 } }
optimizer: { learningRate: 2.0e-3, schedule: cosine }
ema: { decay: 0.995, warmup: true }
train: { batch: 256, steps: ${steps}, sampleEvery: ${steps}, checkpointEvery: ${steps}, sampleCount: 4096 }
`,
  "consistency",
  [`out=${JSON.stringify(out)}`],
);
const { last } = await runTraining({ config });
console.log(`after ${steps} steps: loss ${last.loss.toFixed(3)}`);

const count = 4000;
const fresh = drawPoints("gaussians8", 0, "test", count);
for (const choice of [
  { sampler: "multistep", steps: 1 },
  { sampler: "multistep", steps: 2 },
]) {
  const { images: points, evaluations } = await drawSamples({ source: out, count, seed: 1, batch: 1000, ...choice });
  const distance = evaluation.slicedWasserstein(points, fresh, { dimensions: 2, projections: 128, seed: 0 });
  console.log(`${choice.sampler}: ${evaluations} evaluations, sliced Wasserstein distance ${distance.toFixed(3)}`);
}
console.log(`samples: ${out}/samples`);
