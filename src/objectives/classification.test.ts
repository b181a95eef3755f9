import { expect, test } from "vitest";
import { distance, float, referenceOf } from "../../tests/engine.js";
import { gradients } from "../autodiff/index.js";
import { input } from "../ops/index.js";
import { crossEntropy } from "./classification.js";

const scores = float("scores", 3, 4);
const { loss, report } = crossEntropy(scores, input("labels", { dtype: "int64", shape: [3] }));
const rows = [
  [1, 2, 0.5, -1],
  [3, 0, 0, 0],
  [0, -2, 1, 4],
];
const labels = [1, 2, 3];
const feeds = { scores: rows.flat(), labels };
const softmax = (row: number[]): number[] => {
  const sum = row.reduce((total, score) => total + Math.exp(score), 0);
  return row.map((score) => Math.exp(score) / sum);
};

test("cross-entropy is the mean of −ln softmax(scores)[label], accuracy the share of largest scores that are right", () => {
  const wanted = rows.reduce((sum, row, i) => sum - Math.log(softmax(row)[labels[i]!]!), 0) / 3;
  expect(referenceOf(loss, feeds)[0]).toBeCloseTo(wanted, 6);
  expect(referenceOf(report.accuracy!, feeds)[0]).toBeCloseTo(2 / 3, 6);
});

test("its gradient is (softmax − one-hot) / B", () => {
  const [slope] = gradients(loss, [scores]);
  const wanted = rows.flatMap((row, i) => softmax(row).map((p, k) => (p - Number(k === labels[i])) / 3));
  expect(distance(referenceOf(slope!, feeds), wanted)).toBeLessThan(1e-6);
});

test("equal scores cost the logarithm of their number; sure and right costs nothing", () => {
  expect(referenceOf(loss, { scores: Array(12).fill(7), labels })[0]).toBeCloseTo(Math.log(4), 6);
  const sure = labels.flatMap((label) => [0, 1, 2, 3].map((k) => (k === label ? 200 : 0)));
  expect(referenceOf(loss, { scores: sure, labels })[0]).toBeCloseTo(0, 12);
});
