import { expect, test } from "vitest";
import { float, gaussian, referenceValues, testRuntime } from "../../tests/engine.js";
import type { Tensor } from "../graph/tensor.js";
import { gelu, matmul, tanh } from "../ops/index.js";
import { checkpoint, gradients, jvp } from "./index.js";

const [x, c] = [float("x", 3, 4), float("c", 3, 4)];
const weights = [0, 1, 2].map((i) => float(`w${i}`, 4, 4));
const feeds = Object.fromEntries(
  [x, c, ...weights].map((z) => [String(z.node.attributes.name), gaussian(String(z.node.attributes.name), z.shape)]),
);
const run = testRuntime();

/** Three layers in a chain, each with a weight of its own and the shared condition c. */
const chain = (apply: (f: (h: Tensor, c: Tensor) => Tensor, h: Tensor, c: Tensor) => Tensor): Tensor =>
  weights.reduce((h, w) => apply((a, b) => a.add(gelu(matmul(tanh(a), w)).mul(b)), h, c), x);
const plain = () => chain((f, h, b) => f(h, b));
const kept = () => chain((f, h, b) => checkpoint(f, h, b));
const loss = (y: Tensor): Tensor => y.square().mul(y).sum();

test("gradients to arguments and to weights are those without it, and so are values and jvp", () => {
  const wrt = [x, c, ...weights];
  const both = [plain(), kept()].map((y) => {
    const [, tangent] = jvp((z) => y.mul(z), [c], [x]);
    return [loss(y), tangent, ...gradients(loss(y), wrt)];
  });
  const [wanted, got] = both.map((outputs) => referenceValues(outputs, feeds)) as [Float64Array[], Float64Array[]];
  got.forEach((values, k) => {
    values.forEach((value, i) => {
      expect(Math.abs(value - wanted[k]![i]!)).toBeLessThan(1e-12);
    });
  });
});

test("in ONNX Runtime too, where nothing merges what is computed again with what was", async () => {
  const slopes = (y: Tensor) => Object.fromEntries(gradients(loss(y), weights).map((g, i) => [`g${i}`, g]));
  const [wanted, got] = [await run(slopes(plain()), feeds), await run(slopes(kept()), feeds)];
  for (const [name, values] of Object.entries(wanted))
    values.forEach((value, i) => {
      expect(Math.abs(got[name]![i]! - value)).toBeLessThan(1e-4 * Math.max(1, Math.abs(value)));
    });
});

test("one result used twice with one cotangent: each part pulls through itself", () => {
  const f = (w: Tensor) => (a: Tensor) => gelu(matmul(a, w));
  const sums = [f, (w: Tensor) => (a: Tensor) => checkpoint(f(w), a)].map((g) =>
    gradients(g(weights[0]!)(x).add(g(weights[1]!)(x)).sum(), [x, weights[0]!, weights[1]!]),
  );
  const [wanted, got] = sums.map((outputs) => referenceValues(outputs, feeds)) as [Float64Array[], Float64Array[]];
  expect(got.map((values) => [...values])).toEqual(wanted.map((values) => [...values]));
});

test("a part that reads what is not among its arguments is refused", () => {
  const h = x.mul(2);
  expect(() => checkpoint((a) => a.add(h), c)).toThrow(/checkpoint: the part reads mul float32\[3 4\], which is not/);
});
