import { gradients } from "../autodiff/index.js";
import type { HostArray } from "../graph/dtype.js";
import { buildNetwork } from "../models/network.js";
import { UNET_SIZES, type UNetConfig } from "../models/unet.js";
import { Scope } from "../nn/index.js";
import { lower } from "../onnx/index.js";
import { full, input } from "../ops/index.js";
import { PARAMETERISATIONS, solution } from "../paths/index.js";
import { evaluate, type Runtime } from "../runtime/index.js";
import { openNetwork } from "../train/model.js";
import {
  type Check,
  type Fixture,
  filled,
  filledParameters,
  float32Of,
  json,
  relativeInNorm,
  relativeToLargest,
} from "./fixture.js";
import { compareAll, namesAndShapes, networkInputs } from "./networks.js";

type OfficialConfig = {
  readonly img_resolution: number;
  readonly in_channels: number;
  readonly augment_dim: number;
  readonly model_channels: number;
  readonly channel_mult: readonly number[];
  readonly num_blocks: number;
  readonly attn_resolutions: readonly number[];
};

const fromOfficial = (model: OfficialConfig): UNetConfig => ({
  kind: "unet",
  imageSize: model.img_resolution,
  channels: model.in_channels,
  width: model.model_channels,
  multipliers: model.channel_mult,
  depth: model.num_blocks,
  attention: model.attn_resolutions,
  dropout: 0,
  augment: model.augment_dim,
  classes: 0,
  nullLabel: false,
});

/** The tiny U-Net: output with and without augmentation labels, all gradients of Σ output · cotangent. */
export const tinyUNet = async (fixture: Fixture, runtime: Runtime): Promise<Check[]> => {
  const config = fromOfficial(json<OfficialConfig>(fixture, "model"));
  const t = float32Of(fixture, "t");
  const { y, ...inputs } = networkInputs(config, t.length);
  const scope = new Scope();
  const F = buildNetwork(config);
  const augment = input("augment", { dtype: "float32", shape: [t.length, config.augment] });
  const output = F(scope, { ...inputs, y, augment });
  const cotangent = input("cotangent", inputs.x.type);
  const slopes = gradients(
    output.mul(cotangent).sum(),
    scope.parameters.map(({ tensor }) => tensor),
  );
  const named = scope.parameters.map(({ name }, i) => [`grad.${name}`, slopes[i]!] as const);
  const program = lower("tiny_unet", {
    output,
    output_without_augment: F(scope, { ...inputs, y }),
    ...Object.fromEntries(named),
  });
  const results = await evaluate(runtime, program, {
    ...filledParameters(fixture, scope.parameters),
    x: filled(fixture, "unet.x", inputs.x.shape),
    t,
    s: float32Of(fixture, "s"),
    augment: filled(fixture, "unet.augment", augment.shape, 1),
    cotangent: filled(fixture, "unet.cotangent", inputs.x.shape, 1),
  });
  return Object.entries(results).map(([name, got]) => {
    const wanted = float32Of(fixture, name);
    return name.startsWith("grad.")
      ? { name, error: relativeInNorm(got, wanted), tolerance: 1e-3 }
      : { name, error: relativeToLargest(got, wanted), tolerance: 1e-4 };
  });
};

/** The CIFAR-10 U-Net: parameter names and shapes, its output and a one-step sample x + (0 − 1) F(x, 1, 0). */
export const fullUNet = async (fixture: Fixture, runtime: Runtime): Promise<Check[]> => {
  const config: UNetConfig = { ...UNET_SIZES["DDPM++"], imageSize: 32, channels: 3, classes: 0, nullLabel: false };
  const times = float32Of(fixture, "t");
  const { network: F, parameters } = openNetwork(config);
  const { x, t, s, y } = networkInputs(config, times.length);
  const [one, zero] = [full(1, t.type), full(0, t.type)];
  const outputs = {
    network: F(x, t, s, { label: y }),
    one_step: solution(PARAMETERISATIONS.euler, x, one, zero, F(x, one, zero, { label: y })),
  };
  const feeds: Record<string, HostArray> = {
    ...filledParameters(fixture, parameters),
    x: filled(fixture, "full.x", x.shape),
    t: times,
    s: float32Of(fixture, "s"),
  };
  const program = lower(fixture.name, outputs);
  return [namesAndShapes(fixture, parameters), ...compareAll(fixture, await evaluate(runtime, program, feeds))];
};
