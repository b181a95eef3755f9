import fc from "fast-check";
import { expect, test } from "vitest";
import { key } from "./random.js";
import { threefry2x32 } from "./threefry.js";

test.each([
  // Known answers of the Random123 distribution: key, counter, result.
  [
    [0, 0],
    [0, 0],
    [0x6b200159, 0x99ba4efe],
  ],
  [
    [0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x1cb996fc, 0xbb002be7],
  ],
  [
    [0x13198a2e, 0x03707344],
    [0x243f6a88, 0x85a308d3],
    [0xc4923a9c, 0x483df7a0],
  ],
])("threefry of key %o and counter %o", ([k0, k1], [c0, c1], wanted) => {
  expect(threefry2x32(k0!, k1!, c0!, c1!)).toEqual(wanted);
});

const words = fc.array(fc.oneof(fc.string(), fc.nat()), { maxLength: 4 });
const fold = (path: readonly (string | number)[]) => path.reduce((k, word) => k.fold(word), key(1));

test("a key is a function of what was folded into it, in order", () => {
  fc.assert(
    fc.property(words, words, (a, b) => {
      expect(fold(a).uniform(4)).toEqual(fold(a).uniform(4));
      if (JSON.stringify(a) !== JSON.stringify(b)) expect(fold(a).uniform(4)).not.toEqual(fold(b).uniform(4));
    }),
  );
  expect(key(1).fold(1).uniform(4)).not.toEqual(key(1).fold("1").uniform(4));
  expect(key(1).uniform(4)).not.toEqual(key(1 + 2 ** 32).uniform(4));
});

test("the first draws do not depend on how many follow", () => {
  for (const draw of ["uniform", "normal"] as const) expect(key(3)[draw](7)).toEqual(key(3)[draw](100).subarray(0, 7));
});

const N = 200_000;
const mean = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

test("uniform draws lie in [0, 1) and spread evenly", () => {
  const u = key(5).uniform(N);
  expect(Math.min(...u.subarray(0, 1000))).toBeGreaterThanOrEqual(0);
  expect(u.every((value) => value >= 0 && value < 1)).toBe(true);
  expect(mean(u)).toBeCloseTo(0.5, 2);
  expect(mean(u.map((value) => (value - 0.5) ** 2))).toBeCloseTo(1 / 12, 3);
});

test("normal draws have the moments of N(0, 1), and streams are independent", () => {
  const [a, b] = [key(5).fold("a").normal(N), key(5).fold("b").normal(N)];
  const error = 5 / Math.sqrt(N);
  expect(Math.abs(mean(a))).toBeLessThan(error);
  expect(Math.abs(mean(a.map((z) => z * z)) - 1)).toBeLessThan(error * Math.SQRT2);
  expect(Math.abs(mean(a.map((z) => z ** 4)) - 3)).toBeLessThan(error * Math.sqrt(96));
  expect(Math.abs(mean(a.map((z, i) => z * b[i]!)))).toBeLessThan(error);
  expect(a.every(Number.isFinite)).toBe(true);
});

test("integers are below their bound and every one comes up", () => {
  const counts = new Array<number>(7).fill(0);
  for (const i of key(2).integers(7000, 7)) counts[i]!++;
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(200);
});

test("a permutation is one", () => {
  fc.assert(
    fc.property(fc.nat(200), fc.nat(), (n, seed) => {
      expect([...key(seed).permutation(n)].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
    }),
  );
});
