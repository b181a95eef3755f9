import { array, assert, double, integer, property } from "fast-check";
import { expect, test } from "vitest";
import { isSane, LossWatch, lossOf } from "./health.js";

const losses = (least: number, most: number) =>
  array(double({ min: least, max: most, noNaN: true }), { minLength: 1, maxLength: 60 });

const watched = (values: readonly number[], from = new LossWatch()): LossWatch => {
  for (const value of values) from.add(value);
  return from;
};

test("resumed from a checkpoint, the watch goes on as if it had never stopped", () =>
  assert(
    property(losses(0, 1e6), integer({ min: 0, max: 60 }), (values, at) => {
      const stopped = watched(values.slice(0, at)).health;
      const resumed = new LossWatch(JSON.parse(JSON.stringify(stopped)) as typeof stopped);
      expect(watched(values.slice(at), resumed).health).toEqual(watched(values).health);
    }),
  ));

test("a loss that stays within a factor of 5 is sane; one that grows a hundredfold for twenty steps is not", () =>
  assert(
    property(losses(1, 5), losses(500, 5000), (calm, wild) => {
      expect(isSane(watched(calm).health)).toBe(true);
      expect(isSane(watched([...calm, ...Array<number>(20).fill(wild[0]!)]).health)).toBe(false);
    }),
  ));

test("the first steps of a run that goes wild at once are not sane either, for its first loss was", () => {
  expect(isSane(watched([1.8, 1e12, 1e12, 1e12]).health)).toBe(false);
  expect(isSane(watched([1.8, 2.5, 1.1]).health)).toBe(true);
  expect(lossOf(watched([1, 2, 3]).health)).toBe(2);
  expect(lossOf(new LossWatch().health)).toBeUndefined();
  expect(isSane(new LossWatch().health)).toBe(true);
});
