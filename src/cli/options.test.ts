import { InvalidArgumentError } from "commander";
import fc from "fast-check";
import { expect, test } from "vitest";
import { labelList, outputKind, repeated, wholeNumber, wordList } from "./options.js";

test("whole numbers parse, at or above the least", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat({ max: 5 }), (n, least) => {
      if (n >= least) expect(wholeNumber(least)(String(n))).toBe(n);
      else expect(() => wholeNumber(least)(String(n))).toThrow(`It must be a whole number of at least ${least}.`);
    }),
  );
});

test.each(["", "-1", "1.5", "1e3", "0x10", " 1", "ten", "99999999999999999999"])("%j is no whole number", (text) => {
  expect(() => wholeNumber(0)(text)).toThrow(InvalidArgumentError);
});

test("a range of labels is the list of its members", () => {
  fc.assert(
    fc.property(fc.nat({ max: 1000 }), fc.nat({ max: 50 }), (first, length) => {
      const all = Array.from({ length: length + 1 }, (_, i) => first + i);
      expect(labelList(`${first}-${first + length}`)).toEqual(all);
      expect(labelList(all.join(","))).toEqual(all);
    }),
  );
  expect(labelList("0-3, 7")).toEqual([0, 1, 2, 3, 7]);
});

test.each(["", "a", "3-1", "1,,2", "-1", "0-999999999"])("%j is no list of labels", (text) => {
  expect(() => labelList(text)).toThrow('It must be label numbers such as "0,1,2" or "0-9".');
});

test("words, repeats and output kinds", () => {
  expect(wordList("a, b")).toEqual(["a", "b"]);
  expect(() => wordList("a,,b")).toThrow("It must be names with commas between them, such as a,b.");
  expect(repeated("b", ["a"])).toEqual(["a", "b"]);
  expect(["x/y.PNG", "y.npz", "z/"].map(outputKind)).toEqual(["png", "npz", "folder"]);
  expect(() => outputKind("x.jpg")).toThrow(
    "It must end in .png (one sheet), .npz (arrays) or / (a folder of images).",
  );
});
