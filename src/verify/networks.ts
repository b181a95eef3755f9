import type { HostArray } from "../graph/dtype.js";
import type { Tensor } from "../graph/tensor.js";
import { DIT_SIZES, type DiTConfig, type DiTName } from "../models/dit.js";
import type { NetworkConfig } from "../models/network.js";
import type { Parameter } from "../nn/index.js";
import { lower } from "../onnx/index.js";
import { full, input } from "../ops/index.js";
import { PARAMETERISATIONS, solution, velocity } from "../paths/index.js";
import { evaluate, type Runtime } from "../runtime/index.js";
import { openNetwork } from "../train/model.js";
import {
  type Check,
  type Fixture,
  filled,
  filledParameters,
  float32Of,
  json,
  labelsOf,
  relativeToLargest,
} from "./fixture.js";

/** The tiny network of the fixtures, when a file does not describe its own. */
export const TINY: DiTConfig = {
  imageSize: 8,
  patch: 2,
  channels: 4,
  width: 64,
  depth: 2,
  heads: 4,
  classes: 10,
  nullLabel: true,
};

const float = (name: string, shape: readonly number[]): Tensor => input(name, { dtype: "float32", shape });

/** x [B C H W], t and s [B 1 1 1], y [B] as program inputs. */
export const networkInputs = (config: NetworkConfig, batch: number) => ({
  x: float("x", [batch, config.channels, config.imageSize, config.imageSize]),
  t: float("t", [batch, 1, 1, 1]),
  s: float("s", [batch, 1, 1, 1]),
  y: input("y", { dtype: "int64", shape: [batch] }),
});

type OfficialConfig = Record<
  | "input_size"
  | "patch_size"
  | "in_channels"
  | "hidden_size"
  | "depth"
  | "num_heads"
  | "num_classes"
  | "class_dropout_prob",
  number
>;

const fromOfficial = (model: OfficialConfig): DiTConfig => ({
  imageSize: model.input_size,
  patch: model.patch_size,
  channels: model.in_channels,
  width: model.hidden_size,
  depth: model.depth,
  heads: model.num_heads,
  classes: model.num_classes,
  nullLabel: model.class_dropout_prob > 0,
});

/** The tiny DiT: output with and without labels, velocity and solution for both parameterisations (paths do not matter). */
export const tinyForward = async (fixture: Fixture, runtime: Runtime): Promise<Check[]> => {
  const config = fromOfficial(json<OfficialConfig>(fixture, "model"));
  const y = labelsOf(fixture, "y");
  const inputs = networkInputs(config, y.length);
  const { network: F, parameters } = openNetwork(config);
  const F_s = F(inputs.x, inputs.t, inputs.s, { label: inputs.y });
  const F_t = F(inputs.x, inputs.t, inputs.t, { label: inputs.y });
  const none = full(config.classes, inputs.y.type);
  const outputs: Record<string, Tensor> = {
    network: F_s,
    network_unconditional: F(inputs.x, inputs.t, inputs.s, { label: none }),
  };
  for (const name of fixture.tensors.keys()) {
    const [, kind, quantity] = name.split(".");
    if (!kind) continue;
    const coefficients = PARAMETERISATIONS[kind.toLowerCase() as keyof typeof PARAMETERISATIONS];
    outputs[name] =
      quantity === "velocity"
        ? velocity(coefficients, inputs.x, inputs.t, F_t)
        : solution(coefficients, inputs.x, inputs.t, inputs.s, F_s);
  }
  const feeds: Record<string, HostArray> = {
    ...filledParameters(fixture, parameters),
    x: filled(fixture, "input.x", inputs.x.shape),
    t: float32Of(fixture, "t"),
    s: float32Of(fixture, "s"),
    y,
  };
  const results = await evaluate(runtime, lower("tiny", outputs), feeds);
  return Object.entries(results).map(([name, got]) => ({
    name,
    error: relativeToLargest(got, float32Of(fixture, name)),
    tolerance: 1e-4,
  }));
};

const differences = (parameters: readonly Parameter[], official: Record<string, number[]>): string[] => {
  const ours = new Map(parameters.map(({ name, tensor }) => [name, `${tensor.shape}`]));
  const theirs = Object.entries(official).filter(([name]) => name !== "pos_embed"); // a constant of the program here
  const wrong = theirs.filter(([name, shape]) => ours.get(name) !== `${shape}`).map(([name]) => name);
  return [...wrong, ...[...ours.keys()].filter((name) => !(name in official))];
};

/** An official size: parameter names and shapes, the network's output and a one-step sample x + (0 − 1) F(x, 1, 0, y). */
export const fullDiT = async (fixture: Fixture, runtime: Runtime): Promise<Check[]> => {
  const size = DIT_SIZES[fixture.name.replace(/^full_/, "").replace(/-(?=\d+$)/, "/") as DiTName];
  const labels = labelsOf(fixture, "y");
  const config: DiTConfig = { ...size, imageSize: 32, channels: 4, classes: 1000, nullLabel: true };
  const { network: F, parameters } = openNetwork(config);
  const { x, t, s, y } = networkInputs(config, labels.length);
  const [one, zero] = [full(1, t.type), full(0, t.type)];
  const programs = {
    network: F(x, t, s, { label: y }),
    one_step: solution(PARAMETERISATIONS.euler, x, one, zero, F(x, one, zero, { label: y })),
  };
  const feeds: Record<string, HostArray> = {
    ...filledParameters(fixture, parameters),
    x: filled(fixture, "full.x", x.shape),
    t: float32Of(fixture, "t"),
    s: float32Of(fixture, "s"),
    y: labels,
  };
  const results = await evaluate(runtime, lower(fixture.name, programs), feeds);
  return [namesAndShapes(fixture, parameters), ...compareAll(fixture, results)];
};

/** Whether the network has the official parameters. */
export const namesAndShapes = (fixture: Fixture, parameters: readonly Parameter[]): Check => {
  const wrong = differences(parameters, json(fixture, "names_and_shapes"));
  const which = wrong.length > 0 ? ` (differ: ${wrong.slice(0, 3).join(", ")})` : "";
  return { name: `names and shapes${which}`, error: wrong.length, tolerance: 0 };
};

/** Outputs of a deep network against the fixture's tensors of the same names. */
export const compareAll = (fixture: Fixture, results: Readonly<Record<string, HostArray>>): Check[] =>
  Object.entries(results).map(([name, got]) => ({
    name,
    error: relativeToLargest(got, float32Of(fixture, name)),
    tolerance: 5e-4,
  }));
