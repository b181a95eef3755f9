import { expect, test } from "vitest";
import { last, lookup, nth, pairs, pick, renew, zip } from "./lists.js";

test("what is there is given", () => {
  expect([nth([4, 5], 1), last(Float32Array.of(1, 2)), lookup(new Map([["a", null]]), "a")]).toEqual([5, 2, null]);
  expect(zip([1, 2], ["a", "b"])).toEqual([
    [1, "a"],
    [2, "b"],
  ]);
  expect(pairs([1, 2, 3])).toEqual([
    [1, 2],
    [2, 3],
  ]);
  expect(pairs([1])).toEqual([]);
  expect(pick({ a: 1, b: 2, c: 3 }, ["c", "a"])).toEqual({ c: 3, a: 1 });
  expect(renew({ b: 0, a: 0 }, [1, 2])).toEqual({ b: 1, a: 2 });
});

test("what is not there is an error that says so", () => {
  expect(() => nth([4, 5], 2)).toThrow("there is no element 2 of 2");
  expect(() => nth([4, 5], -1)).toThrow("there is no element -1 of 2");
  expect(() => last([])).toThrow("there is no element -1 of 0");
  expect(() => zip([1, 2], [1])).toThrow("lists of 2 and 1 do not go together");
  expect(() => lookup(new Map(), "a")).toThrow("there is no entry for a");
  expect(() => pick({ a: 1 }, ["b"])).toThrow("there is no entry for b");
  expect(() => renew({ a: 0 }, [])).toThrow("lists of 1 and 0 do not go together");
});
