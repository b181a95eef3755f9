import fc from "fast-check";
import { expect, test } from "vitest";
import { didYouMean, editDistance, nearest } from "./nearest.js";

test("edit distance is a metric", () => {
  const word = fc.string({ maxLength: 8 });
  fc.assert(
    fc.property(word, word, word, (a, b, c) => {
      expect(editDistance(a, b)).toBe(editDistance(b, a));
      expect(editDistance(a, b) === 0).toBe(a === b);
      expect(editDistance(a, c)).toBeLessThanOrEqual(editDistance(a, b) + editDistance(b, c));
    }),
  );
});

test("edit distance of known pairs", () => {
  expect(editDistance("kitten", "sitting")).toBe(3);
  expect(editDistance("", "abc")).toBe(3);
});

test("a word far from every choice has no suggestion", () => {
  expect(nearest("xyzzy", ["depth", "width"])).toBeUndefined();
  expect(didYouMean("xyzzy", ["depth", "width"])).toBe("");
  expect(didYouMean("DEPHT", ["depth", "width"])).toBe("; did you mean depth?");
});
