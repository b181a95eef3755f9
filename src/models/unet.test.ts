import { describe, expect, test } from "vitest";
import { float, gaussian, referenceOf, referenceValues } from "../../tests/engine.js";
import { gradients } from "../autodiff/index.js";
import { parameterInput, Scope } from "../nn/index.js";
import { input } from "../ops/index.js";
import { checkNetwork } from "./network.js";
import { type UNetConfig, unet } from "./unet.js";

const TINY: UNetConfig = {
  kind: "unet",
  imageSize: 4,
  channels: 2,
  width: 8,
  multipliers: [1, 2],
  depth: 1,
  attention: [4],
  dropout: 0,
  augment: 0,
  classes: 3,
  nullLabel: true,
};

const inputs = {
  x: float("x", 2, 2, 4, 4),
  t: float("t", 2, 1, 1, 1),
  s: float("s", 2, 1, 1, 1),
  y: input("y", { dtype: "int64", shape: [2] }),
};

const feedsOf = (scope: Scope) => ({
  x: gaussian("x", [2, 2, 4, 4]),
  t: [0.8, 0.3],
  s: [0.1, 0],
  y: [1, 3],
  ...Object.fromEntries(
    scope.parameters.map(({ name, tensor }) => [
      parameterInput(name),
      gaussian(name, tensor.shape).map((value) => 0.3 * value),
    ]),
  ),
});

describe("the U-Net", () => {
  test("keeps the shape of x and reads x, both times and the label; samples do not see each other", () => {
    const scope = new Scope();
    const F = unet(TINY)(scope, inputs);
    expect(F.shape).toEqual([2, 2, 4, 4]);
    const feeds = feedsOf(scope);
    const before = referenceOf(F, feeds);
    for (const changed of [{ t: [0.8, 0.4] }, { s: [0.1, 0.2] }, { y: [1, 0] }]) {
      const after = referenceOf(F, { ...feeds, ...changed });
      expect(after.subarray(0, 32)).toEqual(before.subarray(0, 32));
      expect(after.subarray(32)).not.toEqual(before.subarray(32));
    }
  });

  test("with one time it does not read s", () => {
    const scope = new Scope();
    const F = unet({ ...TINY, times: 1 })(scope, inputs);
    const feeds = feedsOf(scope);
    expect(referenceOf(F, { ...feeds, s: [0.5, 0.5] })).toEqual(referenceOf(F, feeds));
  });

  test("recomputed blocks give the same gradients", () => {
    const gradientsOf = (checkpointBlocks: boolean) => {
      const scope = new Scope();
      const loss = unet(TINY, { checkpointBlocks })(scope, inputs).square().sum();
      const named = scope.parameters.filter(({ name }) => /conv0.weight|affine.bias|qkv.weight/.test(name));
      const slopes = gradients(
        loss,
        named.map(({ tensor }) => tensor),
      );
      return referenceValues(slopes, feedsOf(scope));
    };
    const [kept, again] = [gradientsOf(false), gradientsOf(true)];
    expect(kept.length).toBeGreaterThan(5);
    kept.forEach((slope, i) => {
      const largest = Math.max(...slope.map(Math.abs));
      expect(largest).toBeGreaterThan(0);
      expect(Math.max(...slope.map((value, k) => Math.abs(value - again[i]![k]!))) / largest).toBeLessThan(1e-9);
    });
  });

  test.each([
    [{ imageSize: 5 }, "model.multipliers has 2 levels; the image size 5 must be a multiple of 2"],
    [{ width: 6 }, "model.width is 6; it must be a multiple of 4"],
    [{ attention: [8] }, "model.attention has 8; the sides of the levels are 4, 2"],
    [{ dropout: 1 }, "model.dropout is 1; it must be at least 0 and below 1"],
  ])("%o is refused", (changed, message) => {
    expect(() => checkNetwork({ ...TINY, ...changed })).toThrow(message);
  });
});
