import fc from "fast-check";
import { expect, test } from "vitest";
import { chunksOf, isContiguous, rowStrides, scatter, spanOf, viewProblem } from "./view.js";

const views = fc
  .array(fc.record({ size: fc.integer({ min: 1, max: 4 }), stride: fc.integer({ min: 0, max: 9 }) }), { maxLength: 4 })
  .map((axes) => ({ offset: 3, shape: axes.map(({ size }) => size), strides: axes.map(({ stride }) => stride) }));

/** Every element's place in its storage, row by row. */
const placesOf = ({ offset, shape, strides }: { offset: number; shape: number[]; strides: number[] }): number[] =>
  shape.reduce<number[]>(
    (places, size, axis) => places.flatMap((at) => Array.from({ length: size }, (_, i) => at + i * strides[axis]!)),
    [offset],
  );

test("however a view is cut, its elements arrive in row order, and no part spans more than it may", () => {
  fc.assert(
    fc.property(views, fc.integer({ min: 1, max: 40 }), (view, most) => {
      const storage = Float64Array.from({ length: view.offset + spanOf(view) }, (_, i) => i);
      const places = placesOf(view);
      const out = new Float64Array(places.length).fill(-1);
      for (const chunk of chunksOf(view, most)) {
        const span = spanOf(chunk);
        expect(span).toBeLessThanOrEqual(Math.max(most, places.length));
        scatter(storage.subarray(chunk.offset, chunk.offset + span), chunk, out);
      }
      expect([...out]).toEqual(places);
    }),
  );
});

test("a view fits its storage exactly where its last element does", () => {
  fc.assert(
    fc.property(views, ({ offset, shape, strides }) => {
      const last = Math.max(...placesOf({ offset, shape, strides }));
      expect(viewProblem(offset, shape, strides, last + 1)).toBeUndefined();
      expect(viewProblem(offset, shape, strides, last)).toBe(
        `it reaches to element ${last + 1} of a storage of ${last}`,
      );
    }),
  );
});

test("rows without gaps are contiguous, whatever the strides of axes of one element", () => {
  expect(isContiguous({ offset: 5, shape: [2, 1, 3], strides: [3, 77, 1] })).toBe(true);
  expect(isContiguous({ offset: 0, shape: [2, 3], strides: [1, 2] })).toBe(false);
  expect(isContiguous({ offset: 0, shape: [3, 2], strides: rowStrides([3, 2]) })).toBe(true);
});
