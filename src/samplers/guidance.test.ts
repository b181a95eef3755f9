import fc from "fast-check";
import { expect, test } from "vitest";
import { distance, float, gaussian, referenceOf, testRuntime } from "../../tests/engine.js";
import { cast, full, input, reshape, sin } from "../ops/index.js";
import type { OneTimeNetwork } from "../paths/index.js";
import { guided } from "./guidance.js";

const SHAPE = [3, 2, 2, 2];
const [x, t] = [float("x", ...SHAPE), float("t", 3, 1, 1, 1)];
const y = input("y", { dtype: "int64", shape: [3] });
const feeds = { x: gaussian("x", SHAPE), t: [1, 0.5, 0.2], y: [0, 4, 2] };
const NULL_LABEL = 9;
const [c, c_null] = [{ label: y }, { label: full(NULL_LABEL, y.type) }];

/** A network that depends on all it is conditioned on, and remembers the batches it was asked for. */
const recorder = () => {
  const batches: number[] = [];
  const read: OneTimeNetwork = (x, t, { label: y }) => {
    if (!y) throw new Error("no label");
    batches.push(x.dim(0));
    const label = reshape(cast(y, { to: "float32" }), { shape: [y.dim(0), 1, 1, 1] });
    return sin(x.mul(t).add(label)).mul(label.add(1));
  };
  return { read, batches };
};
const readAt = (scale: number) => guided(recorder().read, c, c_null, scale)(x, t);
const conditional = referenceOf(recorder().read(x, t, c), feeds);
const unconditional = referenceOf(recorder().read(x, t, c), { ...feeds, y: Array(3).fill(NULL_LABEL) });

test("w = 1 is the conditional output, w = 0 the unconditional", () => {
  expect(referenceOf(readAt(1), feeds)).toEqual(conditional);
  expect(distance(referenceOf(readAt(0), feeds), unconditional)).toBeLessThan(1e-12);
});

test("the output is affine in w", () => {
  fc.assert(
    fc.property(fc.integer({ min: -8, max: 40 }), (n) => {
      const w = n / 4; // exact in float32
      const wanted = conditional.map((r_y, i) => unconditional[i]! + w * (r_y - unconditional[i]!));
      expect(distance(referenceOf(readAt(w), feeds), wanted)).toBeLessThan(1e-12);
    }),
  );
});

test("the network is evaluated once, on both labels together; at w = 1 on the batch alone", () => {
  for (const [scale, batch] of [
    [2, 6],
    [0, 6],
    [1, 3],
  ] as const) {
    const { read, batches } = recorder();
    guided(read, c, c_null, scale)(x, t);
    expect(batches).toEqual([batch]);
  }
});

const run = testRuntime();
test("ONNX Runtime agrees", async () => {
  const { guided: got } = await run({ guided: readAt(2.5) }, feeds);
  expect(distance(got!, referenceOf(readAt(2.5), feeds))).toBeLessThan(1e-5);
});
