import { gradients } from "../autodiff/index.js";
import { consistencyTraining, curriculum, type LevelWeight, type Metric } from "../objectives/index.js";
import { lower } from "../onnx/index.js";
import { globalNorm } from "../optim/index.js";
import { sigmaGrid } from "../paths/index.js";
import { evaluate, type Runtime } from "../runtime/index.js";
import {
  type Check,
  type Fixture,
  float32Of,
  json,
  numbersOf,
  relative,
  relativeInNorm,
  relativeToLargest,
} from "./fixture.js";
import { float, setUp } from "./onetime.js";

type Case = { grid: number; metric: Metric; weight: LevelWeight; loss: number; distance: number[]; grad_norm: number };
type Row = { step: number; scales: number; ema: number };

const checkCase = async (fixture: Fixture, runtime: Runtime, setting: Case, index: number): Promise<Check[]> => {
  const { batch, oneTime, inputs, feeds, parameters } = setUp(fixture);
  const prefix = `case${index}.`;
  const [sigma, next] = [float("sigma", [batch, 1, 1, 1]), float("next", [batch, 1, 1, 1])];
  const training = consistencyTraining({ network: oneTime, metric: setting.metric, weight: setting.weight });
  const { loss, online, target, distance } = training({ ...inputs, sigma, next });
  const slopes = gradients(
    loss,
    parameters.map(({ tensor }) => tensor),
  );
  const named = Object.fromEntries(parameters.map(({ name }, i) => [`grad.${name}`, slopes[i]!]));
  const levels = { sigma: float32Of(fixture, `${prefix}sigma`), next: float32Of(fixture, `${prefix}sigma_next`) };
  const outputs = { loss, online, target, distance, grad_norm: globalNorm(slopes), ...named };
  const got = await evaluate(runtime, lower(`consistency.${index}`, outputs), { ...feeds, ...levels });
  const grid = sigmaGrid(setting.grid);
  const onGrid = Array.from(levels.sigma, (value) => Math.min(...grid.map((level) => Math.abs(level - value) / value)));
  const tensors = [...fixture.tensors.keys()].filter((name) => name.startsWith(`${prefix}grad.`));
  return [
    { name: `case ${index} levels on the grid`, error: Math.max(...onGrid), tolerance: 1e-5 },
    { name: `case ${index} loss`, error: relative(Number(got.loss![0]), setting.loss), tolerance: 1e-5 },
    { name: `case ${index} grad_norm`, error: relative(Number(got.grad_norm![0]), setting.grad_norm), tolerance: 1e-3 },
    { name: `case ${index} distance`, error: relativeToLargest(got.distance!, setting.distance), tolerance: 1e-4 },
    ...(["online", "target"] as const).map((name) => ({
      name: `case ${index} ${name}`,
      error: relativeToLargest(got[name]!, numbersOf(fixture, prefix + name)),
      tolerance: 1e-4,
    })),
    ...tensors.map((name) => ({
      name,
      error: relativeInNorm(got[name.slice(prefix.length)] ?? [], float32Of(fixture, name)),
      tolerance: 1e-3,
    })),
  ];
};

/** Consistency training with every metric and weight of the fixture, and the published curriculum. */
export const consistencyLosses = async (fixture: Fixture, runtime: Runtime): Promise<Check[]> => {
  const table = json<Row[]>(fixture, "curriculum");
  const settings = { s0: 2, s1: 150, mu0: 0.9, steps: 800_000 };
  const checks: Check[] = table.flatMap(({ step, scales, ema }) => {
    const { levels, decay } = curriculum(settings, step);
    return [
      { name: `levels at step ${step}`, error: Math.abs(levels - scales), tolerance: 0 },
      { name: `decay at step ${step}`, error: relative(decay, ema), tolerance: 1e-9 },
    ];
  });
  for (const [i, setting] of json<Case[]>(fixture, "cases").entries())
    checks.push(...(await checkCase(fixture, runtime, setting, i)));
  return checks;
};
