// Flow matching on eight Gaussians: a velocity field, followed by any ODE solver. arXiv:2210.02747
// Training fits v(x_t, t) to ε − x_0; sampling integrates dx/dt = v from t = 1 to 0. Solvers of higher order need fewer
// steps, and dopri5 chooses its own.
// Run: node examples/flow-matching.mjs [folder] [steps]
import { drawPoints, drawSamples, evaluation, parseConfig, runTraining } from "soflow";

const [out = "runs/flow-matching-example", steps = "3000"] = process.argv.slice(2);

const config = parseConfig(
  `
data: { kind: points, name: gaussians8 }
model: { kind: mlp, width: 128, depth: 3 }
objective: { kind: flow-matching, times: { sampler: uniform } }
optimizer: { learningRate: 2.0e-3, schedule: cosine }
ema: { decay: 0.995, warmup: true }
train: { batch: 256, steps: ${steps}, sampleEvery: ${steps}, checkpointEvery: ${steps}, sampleCount: 4096 }
`,
  "flow-matching",
  [`out=${JSON.stringify(out)}`],
);
const { last } = await runTraining({ config });
console.log(`after ${steps} steps: loss ${last.loss.toFixed(3)}`);

const count = 4000;
const fresh = drawPoints("gaussians8", 0, "test", count);
for (const choice of [
  { sampler: "euler", steps: 1 },
  { sampler: "euler", steps: 8 },
  { sampler: "heun", steps: 8 },
  { sampler: "rk4", steps: 8 },
  { sampler: "dopri5" },
]) {
  const { images: points, evaluations } = await drawSamples({ source: out, count, seed: 1, batch: 1000, ...choice });
  const distance = evaluation.slicedWasserstein(points, fresh, { dimensions: 2, projections: 128, seed: 0 });
  console.log(`${choice.sampler}: ${evaluations} evaluations, sliced Wasserstein distance ${distance.toFixed(3)}`);
}
console.log(`samples: ${out}/samples`);
