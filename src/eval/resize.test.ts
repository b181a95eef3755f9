import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { resizeMatrix } from "./resize.js";

const resized = (line: readonly number[], wanted: number): number[] => {
  const matrix = resizeMatrix(line.length, wanted);
  return Array.from({ length: wanted }, (_, i) =>
    line.reduce((sum, value, j) => sum + matrix[i * line.length + j]! * value, 0),
  );
};

describe("TensorFlow 1's bilinear resizing", () => {
  // Worked by hand: the places are i · size / wanted, the edge repeats.
  test.each([
    [[0, 10], 4, [0, 5, 10, 10]],
    [[0, 10, 20], 6, [0, 5, 10, 15, 20, 20]],
    [[1, 2, 3, 4], 2, [1, 3]],
    [[0, 3, 6, 9, 12, 15], 4, [0, 4.5, 9, 13.5]],
    [[7], 3, [7, 7, 7]],
    [[0, 8, 16, 24, 32, 40, 48, 56], 3, [0, 64 / 3, 128 / 3]],
  ])("%j to %i pixels", (line, wanted, result) => {
    resized(line, wanted).forEach((value, i) => {
      expect(value).toBeCloseTo(result[i]!, 5);
    });
  });

  test("a flat image stays flat, the same size changes nothing, and values stay between their neighbours", () => {
    const sizes = fc.integer({ min: 1, max: 60 });
    fc.assert(
      fc.property(sizes, sizes, (size, wanted) => {
        const ramp = Array.from({ length: size }, (_, i) => i);
        for (const value of resized(
          ramp.map(() => 3),
          wanted,
        ))
          expect(value).toBeCloseTo(3, 5);
        if (size === wanted) expect(resized(ramp, wanted)).toEqual(ramp);
        resized(ramp, wanted).forEach((value, i) => {
          expect(value).toBeCloseTo(Math.min((i * size) / wanted, size - 1), 4); // a ramp is its own place
        });
      }),
    );
  });
});
