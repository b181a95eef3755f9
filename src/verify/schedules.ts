import type { Tensor } from "../graph/tensor.js";
import { guidanceDecay } from "../objectives/guidance.js";
import { middleTimes } from "../objectives/index.js";
import { lower } from "../onnx/index.js";
import { input, scalar } from "../ops/index.js";
import {
  type Coefficients,
  derivative,
  type MiddleTime,
  middleRatio,
  PARAMETERISATIONS,
  PATHS,
  type Path,
  partialS,
  partialT,
} from "../paths/index.js";
import { evaluate, type Runtime } from "../runtime/index.js";
import { type Check, type Fixture, float32Of, json, relativeToLargest } from "./fixture.js";

type Settings = { total_steps: number; init_ratio: number; end_ratio: number };

const lowerCase = <T extends string>(name: string): T => name.toLowerCase() as T;

/** The formula that a tensor of the fixture tabulates, by its name: `noising.Linear.alpha`, `middle_time.Cosine.1000`, … */
const formula = (name: string, t: Tensor, s: Tensor, settings: Settings): Tensor | undefined => {
  const [family, kind = "", ...rest] = name.split(".");
  const quantity = rest.join(".");
  if (family === "noising") return noising(PATHS[lowerCase<keyof typeof PATHS>(kind)], quantity, t);
  if (family === "coefficient")
    return coefficient(PARAMETERISATIONS[lowerCase<keyof typeof PARAMETERISATIONS>(kind)], quantity, t, s);
  if (family === "cfg_decay") return guidanceDecay(t, Number(`${kind}.${quantity}`));
  if (family !== "middle_time") return undefined;
  const schedule = {
    schedule: lowerCase<MiddleTime["schedule"]>(kind),
    initial: settings.init_ratio,
    final: settings.end_ratio,
  };
  return middleTimes(s, t, scalar(middleRatio(schedule, Number(quantity), settings.total_steps))).l;
};

type Quantities = Readonly<Record<string, () => Tensor>>;

const noising = ({ alpha, beta }: Path, quantity: string, t: Tensor): Tensor | undefined => {
  const quantities: Quantities = {
    alpha: () => alpha(t),
    beta: () => beta(t),
    alpha_grad: () => derivative(alpha, t),
    beta_grad: () => derivative(beta, t),
  };
  return quantities[quantity]?.();
};

const coefficient = ({ a, b }: Coefficients, quantity: string, t: Tensor, s: Tensor): Tensor | undefined => {
  const quantities: Quantities = {
    a: () => a(t, s),
    b: () => b(t, s),
    a_ds: () => partialS(a, t, s),
    b_ds: () => partialS(b, t, s),
    a_dt: () => partialT(a, t, s),
    b_dt: () => partialT(b, t, s),
  };
  return quantities[quantity]?.();
};

/** Noising paths, solution coefficients with their derivatives, guidance decay and middle times on a grid of (t, s). */
export const schedules = async (fixture: Fixture, runtime: Runtime): Promise<Check[]> => {
  const feeds = { t: float32Of(fixture, "t"), s: float32Of(fixture, "s") };
  const type = { dtype: "float32", shape: [feeds.t.length] } as const;
  const [t, s] = [input("t", type), input("s", type)];
  const names = [...fixture.tensors.keys()].filter((name) => name !== "t" && name !== "s");
  const outputs = names.map((name) => [name, formula(name, t, s, json<Settings>(fixture, "middle_time"))] as const);
  const known = Object.fromEntries(outputs.filter((entry): entry is [string, Tensor] => entry[1] !== undefined));
  const results = await evaluate(runtime, lower("schedules", known), feeds);
  return names.map((name) => ({
    name,
    error: results[name] ? relativeToLargest(results[name], float32Of(fixture, name)) : Number.NaN,
    tolerance: 1e-5,
  }));
};
