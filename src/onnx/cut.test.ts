import { expect, test } from "vitest";
import { gaussian, referenceValues } from "../../tests/engine.js";
import type { Tensor } from "../graph/tensor.js";
import { ancestors } from "../graph/walk.js";
import { DIT_SIZES, dit } from "../models/dit.js";
import { Scope } from "../nn/index.js";
import { concat, input, inputName } from "../ops/index.js";
import { type Arrival, cut } from "./index.js";

const SIZES = { ...DIT_SIZES["DiT-B/4"], width: 16, depth: 2, heads: 2 };
const CONFIG = { ...SIZES, imageSize: 8, channels: 2, classes: 3, nullLabel: true };
const image = { dtype: "float32", shape: [2, 2, 8, 8] } as const;
const time = { dtype: "float32", shape: [2, 1, 1, 1] } as const;
const [x, t, s] = [input("x", image), input("t", time), input("s", time)];
const y = input("y", { dtype: "int64", shape: [2] });

const scope = new Scope();
const F = dit(CONFIG)(scope, { x, t, s, y });
const outputs = { next: x.add(s.sub(t).mul(F)), twice: concat([F, F], { axis: 0 }) };
const weights = Object.fromEntries(
  scope.parameters.map(({ tensor }) => [inputName(tensor)!, gaussian(inputName(tensor)!, tensor.shape)]),
);
const arrivalOf = (name: string): Arrival => (name in weights ? "fixed" : name === "x" ? "late" : "early");
const feeds = { ...weights, x: gaussian("x", image.shape), t: [1, 0.7], s: [0, 0.2], y: [1, 3] };
const inputsOf = (tensors: Readonly<Record<string, Tensor>>): string[] =>
  ancestors(Object.values(tensors)).flatMap(({ outputs: [z] }) => (z && inputName(z) ? [inputName(z)!] : []));

test("early and late together compute what the whole did", () => {
  const { early, late } = cut(outputs, arrivalOf);
  const values = referenceValues(Object.values(early), feeds);
  const known = Object.fromEntries(Object.keys(early).map((name, i) => [name, values[i]!]));
  const wanted = referenceValues(Object.values(outputs), feeds);
  referenceValues(Object.values(late), { ...feeds, ...known }).forEach((got, k) => {
    got.forEach((value, i) => {
      expect(Math.abs(value - wanted[k]![i]!)).toBeLessThan(1e-12);
    });
  });
});

test("the early part knows nothing of x; the late part neither labels nor what embeds times and makes modulations", () => {
  const { early, late } = cut(outputs, arrivalOf);
  expect(inputsOf(early)).not.toContain("x");
  expect(inputsOf(late)).not.toContain("y");
  const gone = /embedding_table|t_embedder|s_embedder|adaLN/;
  expect(inputsOf(late).filter((name) => gone.test(name))).toEqual([]);
  expect(inputsOf(early).filter((name) => name in weights && !gone.test(name))).toEqual([]);
});

test("where nothing is early, nothing is cut", () => {
  const { early, late } = cut(outputs, (name) => (name in weights ? "fixed" : "late"));
  expect(early).toEqual({});
  expect(inputsOf(late).sort()).toEqual(inputsOf(outputs).sort());
});
