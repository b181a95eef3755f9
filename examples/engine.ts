// The bare engine: a network that turns noise into points of two moons in one step. node examples/engine.ts [steps]
// (Node 22.18 or later runs TypeScript itself.) MeanFlow, arXiv:2505.13447; t = 0 is data, t = 1 is noise.
import {
  adamw,
  drawPoints,
  evaluate,
  evaluation,
  jvp,
  key,
  lower,
  nn,
  openRuntime,
  ops,
  stopGradient,
  type Tensor,
  TrainingStep,
} from "soflow";

const [B, steps] = [256, Number(process.argv[2] ?? 2000)];
const float = (name: string, ...shape: number[]) => ops.input(name, { dtype: "float32", shape });

/** u(z, r, t), the mean velocity from r to t.   z [n 2], r and t [n 1] → [n 2] */
const scope = new nn.Scope();
const u = (z: Tensor, r: Tensor, t: Tensor): Tensor => {
  let h = ops.concat([z, t, t.sub(r)], { axis: 1 });
  for (const name of ["0", "1", "2"]) h = ops.silu(nn.linear(scope.at(name), h, 128));
  return nn.linear(scope.at("out"), h, 2);
};

// u_target = v − (t − r) du/dt, the derivative along dz = v dt; L = mean (u − u_target)²
const [x_0, eps, t, r] = [float("x_0", B, 2), float("eps", B, 2), float("t", B, 1), float("r", B, 1)];
const v = eps.sub(x_0);
const [u_t, du_dt] = jvp((z, t) => u(z, r, t), [x_0.add(v.mul(t)), t], [v, ops.onesLike(t)]);
const error = u_t.sub(stopGradient(v.sub(t.sub(r).mul(du_dt))));
const loss = { loss: error.square().mean(), report: {} };

// Three programs: gradients, their norm, and the update of weights, moments and averages (EMA).
const runtime = await openRuntime();
const transform = adamw({ beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0, learningRate: () => 1e-3 });
const { parameters } = scope;
const averages = { ema: () => 0.995 };
const training = await TrainingStep.create(runtime, { loss, parameters, transform, averages, clipNorm: null });
for (const { name, tensor, initialize } of parameters)
  for (const own of [nn.parameterInput(name), `ema.${name}`])
    await training.state.write(own, initialize(key(0).fold(name), tensor.shape));
for (let k = 1; k <= steps; k++) {
  const [random, pair] = [key(1).fold(k), (i: number) => [i, i + B].map((j) => times[j] ?? 0)];
  const times = random.fold("times").uniform(2 * B);
  const noise = random.fold("eps").normal(2 * B);
  const late = times.slice(0, B).map((_, i) => Math.max(...pair(i)));
  const early = late.map((t, i) => (i % 4 === 0 ? Math.min(...pair(i)) : t)); // r = t for three of four
  const batch = { x_0: drawPoints("moons", k, "train", B), eps: noise, t: late, r: early };
  const report = { ...(await training.gradients(batch)), ...(await training.update(k)) };
  if (k % 500 === 0) console.log(`step ${k}: loss ${report.loss?.toFixed(3)}`);
}

// One step from noise at t = 1 to data at r = 0, with the averaged weights: x = ε − u(ε, 0, 1).
const [noise, one] = [float("noise", 2000, 2), ops.full(1, { dtype: "float32", shape: [2000, 1] })];
const sample = lower("sample", { x: noise.sub(u(noise, one.mul(0), one)) });
const weights = parameters.map(async ({ name }) => [nn.parameterInput(name), await training.state.read(`ema.${name}`)]);
const feeds = { ...Object.fromEntries(await Promise.all(weights)), noise: key(2).normal(4000) };
const { x = [] } = await evaluate(runtime, sample, feeds);
const options = { dimensions: 2, projections: 128, seed: 0 };
const fresh = drawPoints("moons", 0, "test", 2000);
const distance = evaluation.slicedWasserstein(Float32Array.from(x, Number), fresh, options);
console.log(`${steps} steps: sliced Wasserstein distance of one-step samples ${distance.toFixed(3)}`);
await runtime.close();
