import fc from "fast-check";
import { expect, test } from "vitest";
import { float, referenceOf } from "../../tests/engine.js";
import type { Tensor } from "../graph/tensor.js";
import { input } from "../ops/index.js";
import type { Conditions } from "../paths/index.js";
import { guidanceDecay, guidedVelocity } from "./guidance.js";

const t = float("t");
const time = fc.double({ min: 0, max: 1, noNaN: true });
const decay = (decayTime: number, at: number): number => referenceOf(guidanceDecay(t, decayTime), { t: [at] })[0]!;

test("guidance is whole up to τ, gone at noise, and never grows in between", () => {
  fc.assert(
    fc.property(fc.double({ min: 0.05, max: 0.99, noNaN: true }), time, time, (tau, a, b) => {
      expect(decay(tau, Math.min(a, tau - 1e-6))).toBeCloseTo(1, 6);
      expect(decay(tau, 1)).toBeCloseTo(0, 6);
      expect(decay(tau, Math.max(a, b))).toBeLessThanOrEqual(decay(tau, Math.min(a, b)) + 1e-9);
    }),
  );
});

test("τ = 1 never fades", () => {
  fc.assert(
    fc.property(time, (at) => {
      expect(decay(1, at)).toBe(1);
    }),
  );
});

test("v* = m (v_t + (ω − 1) (v_t − v̂_∅)) + (1 − m) v̂_c; a dropped sample keeps v_t", () => {
  const one = (name: string) => float(name, 1, 1, 1, 1);
  const dropped = input("dropped", { dtype: "bool", shape: [1, 1, 1, 1] });
  const [c, c_null] = [{ label: one("v_c") }, { label: one("v_null") }];
  const tensors = { t: one("t"), v_t: one("v_t"), c, c_null, dropped };
  const v_hat = (conditions: Conditions): Tensor => conditions.label!;
  const real = fc.double({ min: -5, max: 5, noNaN: true });
  const scale = fc.double({ min: 1.01, max: 5, noNaN: true }); // ω = 1 is no guidance
  fc.assert(
    fc.property(scale, time, real, real, real, fc.boolean(), (scale, mix, v_t, v_null, v_c, drop) => {
      const v = guidedVelocity({ scale, mix, decayTime: 1 }, v_hat, tensors);
      const feeds = { t: [0.5], v_t: [v_t], v_null: [v_null], v_c: [v_c], dropped: [Number(drop)] };
      const wanted = drop ? v_t : mix * (v_t + (scale - 1) * (v_t - v_null)) + (1 - mix) * v_c;
      expect(referenceOf(v, feeds)[0]).toBeCloseTo(wanted, 4); // ω and m are float32 constants of the program
    }),
  );
});
