import {
  array,
  assert,
  constantFrom,
  double,
  integer,
  nat,
  property,
  record,
  sample,
  subarray,
  tuple,
} from "fast-check";
import { describe, expect, test } from "vitest";
import { key } from "../../random/random.js";
import { type Affine, after, applyTo, IDENTITY, inverse } from "./affine.js";
import {
  type AugmentOptions,
  augmentImage,
  augmentLabels,
  CIFAR10_TRANSFORMATIONS,
  type Drawn,
  drawAugmentation,
  labelsOf,
  matrixOf,
} from "./augment.js";
import { transformed } from "./resample.js";
import { TRANSFORMATION_NAMES, TRANSFORMATIONS, type TransformationName } from "./transformations.js";

const shapes = record({
  channels: constantFrom(1, 3),
  height: integer({ min: 1, max: 12 }),
  width: integer({ min: 1, max: 12 }),
});
type Shape = { readonly channels: number; readonly height: number; readonly width: number };

const random = (seed: number, { channels, height, width }: Shape): Float32Array<ArrayBuffer> =>
  key(seed)
    .fold("image")
    .normal(channels * height * width);

/** The image whose pixel (x, y) is that of another one at `from(x, y)`, with whole coordinates. */
const moved = (
  image: Float32Array,
  { channels, height, width }: Shape,
  from: (x: number, y: number) => [number, number],
) => {
  const out = new Float32Array(image.length);
  for (let c = 0; c < channels; c++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const [u, v] = from(x, y);
        out[(c * height + y) * width + x] = image[(c * height + v) * width + u]!;
      }
  return out;
};

/** Walks from pixel 0 to pixel i, turning round at both ends. */
const bounce = (i: number, n: number): number => {
  let [at, direction] = [0, Math.sign(i)];
  for (let k = 0; k < Math.abs(i) && n > 1; k++) {
    if (at + direction < 0 || at + direction >= n) direction = -direction;
    at += direction;
  }
  return at;
};

const one = (name: TransformationName, ...a: number[]): Drawn => [{ name, a }];
const augmented = (image: Float32Array, shape: Shape, drawn: Drawn): Float32Array => {
  const copy = image.slice();
  augmentImage(copy, shape, drawn);
  return copy;
};

const subsets = subarray([...TRANSFORMATION_NAMES]);

test("p = 0 is the identity, bit for bit, and its labels are 0", () => {
  assert(
    property(shapes, nat(), subsets, (shape, seed, transformations) => {
      const drawn = drawAugmentation({ probability: 0, transformations }, key(seed));
      const image = random(seed, shape);
      expect(augmented(image, shape, drawn)).toEqual(image);
      expect(labelsOf(drawn)).toEqual(Array(augmentLabels(transformations)).fill(0));
      expect(transformed(image, shape, matrixOf(drawn, shape))).toEqual(image); // the resampling too keeps the bits
    }),
  );
});

test("the flips alone mirror the image exactly", () => {
  assert(
    property(shapes, nat(), (shape, seed) => {
      const image = random(seed, shape);
      const { width, height } = shape;
      const [left, down] = [augmented(image, shape, one("x-flip", 1)), augmented(image, shape, one("y-flip", 1))];
      expect(left).toEqual(moved(image, shape, (x, y) => [width - 1 - x, y]));
      expect(down).toEqual(moved(image, shape, (x, y) => [x, height - 1 - y]));
    }),
  );
});

test("a translation by whole pixels is exactly the image moved, its edges reflected", () => {
  const pixels = integer({ min: -30, max: 30 });
  assert(
    property(shapes, nat(), pixels, pixels, ({ channels }, seed, right, down) => {
      const shape = { channels, height: 8, width: 16 }; // eighths of them are whole
      const image = random(seed, shape);
      const wanted = moved(image, shape, (x, y) => [bounce(x - right, 16), bounce(y - down, 8)]);
      expect(augmented(image, shape, one("translation", right / 2, down))).toEqual(wanted);
    }),
  );
});

test("turns by right angles of square images are exact to rounding", () => {
  const shape = { channels: 1, height: 9, width: 9 };
  const image = random(1, shape);
  const wanted = moved(image, shape, (x, y) => [8 - y, x]); // −a is from x to y: right to down
  const turned = augmented(image, shape, one("rotation", Math.PI / 2));
  for (let i = 0; i < 81; i++) expect(turned[i]).toBeCloseTo(wanted[i]!, 6);
});

const CHOSEN = { probability: 0.5, transformations: TRANSFORMATION_NAMES };

test("a constant image stays constant, whatever is done to it", () => {
  assert(
    property(shapes, nat(), double({ min: -1, max: 1, noNaN: true }), (shape, seed, value) => {
      const image = new Float32Array(shape.channels * shape.height * shape.width).fill(value);
      const after = augmented(image, shape, drawAugmentation(CHOSEN, key(seed)));
      for (const x of after) expect(x).toBeCloseTo(value, 6);
    }),
  );
});

/** A smooth spot around a point, in pixels from the centre. */
const spot = (side: number, x: number, y: number): Float32Array<ArrayBuffer> => {
  const half = (side - 1) / 2;
  return Float32Array.from({ length: side * side }, (_, i) => {
    const [dx, dy] = [(i % side) - half - x, Math.floor(i / side) - half - y];
    return Math.exp(-(dx * dx + dy * dy) / (2 * 4 ** 2));
  });
};

const centroid = (image: Float32Array, side: number): readonly [number, number] => {
  const half = (side - 1) / 2;
  const sum = image.reduce((a, b) => a + b, 0);
  const mean = (of: (i: number) => number) => image.reduce((a, value, i) => a + value * of(i), 0) / sum;
  return [mean((i) => (i % side) - half), mean((i) => Math.floor(i / side) - half)];
};

/** How far from its centre the image is seen after a transformation; beyond its half begin reflections. */
const reach = (matrix: Affine, side: number): number => {
  const back = inverse(matrix);
  const half = (side - 1) / 2;
  const corners = [-half, half].flatMap((x) => [-half, half].map((y) => applyTo(back, x, y)));
  return Math.max(...corners.flat().map(Math.abs));
};

test("what is at a point comes to lie where the composed matrix takes it, and values there stay", () => {
  const side = 128;
  const shape = { channels: 1, height: side, width: side };
  const place = integer({ min: -6, max: 6 });
  let moving = 0;
  for (let seed = 0; seed < 60; seed++) {
    const [x, y] = sample(tuple(place, place), { numRuns: 1, seed })[0]!;
    const drawn = drawAugmentation(CHOSEN, key(seed));
    const matrix = matrixOf(drawn, shape);
    const [u, v] = applyTo(matrix, x, y);
    if (Math.max(Math.abs(u), Math.abs(v)) > 25 || reach(matrix, side) > 95) continue; // mirror images would count
    const image = augmented(spot(side, x, y), shape, drawn);
    const [cx, cy] = centroid(image, side);
    expect(Math.hypot(cx - u, cy - v), `seed ${seed}`).toBeLessThan(0.05);
    expect(Math.abs(Math.max(...image) - 1), `seed ${seed}`).toBeLessThan(0.08);
    moving++;
  }
  expect(moving).toBeGreaterThan(25);
});

test("shrinking averages: a chequerboard of single pixels becomes grey, not another pattern", () => {
  const shape = { channels: 1, height: 32, width: 32 };
  const image = Float32Array.from({ length: 1024 }, (_, i) => ((i + Math.floor(i / 32)) % 2 ? 1 : -1));
  const smaller = augmented(image, shape, one("scaling", -5)); // to half
  for (let y = 12; y < 20; y++) for (let x = 12; x < 20; x++) expect(Math.abs(smaller[y * 32 + x]!)).toBeLessThan(0.02);
});

describe("matrices", () => {
  test("are undone by their inverses, and parameters of 0 are the identity", () => {
    assert(
      property(nat(), shapes, (seed, shape) => {
        const matrix = matrixOf(drawAugmentation(CHOSEN, key(seed)), shape);
        const both = after(inverse(matrix), matrix);
        for (const name of ["xx", "xy", "x0", "yx", "yy", "y0"] as const)
          expect(both[name]).toBeCloseTo(IDENTITY[name], 9);
        for (const { matrix, labels } of Object.values(TRANSFORMATIONS)) {
          expect(Object.values(matrix([0, 0], 8, 8)).map((x) => x + 0)).toEqual(Object.values(IDENTITY));
          expect(labels([0, 0]).every((label) => label === 0)).toBe(true);
        }
      }),
    );
  });

  test("anisotropy keeps areas, scaling multiplies them by 2^(0.4 a)", () => {
    const real = double({ min: -3, max: 3, noNaN: true });
    assert(
      property(real, real, (a, b) => {
        const area = (name: TransformationName, ...parameters: number[]) => {
          const { xx, xy, yx, yy } = TRANSFORMATIONS[name].matrix(parameters, 32, 32);
          return xx * yy - xy * yx;
        };
        expect(area("anisotropy", a, b)).toBeCloseTo(1, 9);
        expect(area("scaling", a)).toBeCloseTo(2 ** (0.4 * a), 9);
        expect(area("rotation", a)).toBeCloseTo(1, 9);
      }),
    );
  });

  test("anisotropy lengthens along its angle", () => {
    const [x, y] = applyTo(TRANSFORMATIONS.anisotropy.matrix([Math.PI / 2, 5], 32, 32), 0, 3);
    expect([x, y].map((value) => Math.round(value * 1e9) / 1e9)).toEqual([0, 6]);
  });
});

const draws = (options: AugmentOptions, count = 4000): readonly Drawn[] =>
  Array.from({ length: count }, (_, i) => drawAugmentation(options, key(9).fold(i)));

test.each([0.12, 0.5, 1])("each transformation is applied with probability %d, the horizontal flip with 1/2", (p) => {
  const all = draws({ probability: p, transformations: TRANSFORMATION_NAMES });
  TRANSFORMATION_NAMES.forEach((name, i) => {
    const wanted = name === "x-flip" ? 0.5 : name === "y-flip" ? p / 2 : p;
    const share = all.filter((drawn) => drawn[i]!.a.some((value) => value !== 0)).length / all.length;
    const deviation = Math.sqrt((wanted * (1 - wanted)) / all.length);
    expect(Math.abs(share - wanted), name).toBeLessThanOrEqual(4 * deviation);
  });
});

test("they are applied independently of one another", () => {
  const all = draws({ probability: 0.5 });
  const on = all.map((drawn) => drawn.map(({ a }) => Number(a.some((value) => value !== 0))));
  const both = (i: number, j: number) => on.filter((row) => row[i] && row[j]).length / on.length;
  for (let i = 0; i < 4; i++) for (let j = 0; j < i; j++) expect(Math.abs(both(i, j) - 0.25)).toBeLessThan(0.035);
});

test("parameters have their distributions", () => {
  const all = draws({ probability: 1, transformations: TRANSFORMATION_NAMES });
  const of = (name: TransformationName, k: number) => all.map((drawn) => drawn.find((one) => one.name === name)!.a[k]!);
  const moments = (values: readonly number[]) => {
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    return [mean, Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length)] as const;
  };
  const normal = [of("scaling", 0), of("anisotropy", 1), of("translation", 0), of("translation", 1)];
  const angles = [of("rotation", 0), of("anisotropy", 0)];
  for (const [values, deviation] of [
    ...normal.map((values) => [values, 1] as const),
    ...angles.map((values) => [values, Math.PI / Math.sqrt(3)] as const),
  ]) {
    const [mean, spread] = moments(values);
    expect(Math.abs(mean)).toBeLessThan(0.12);
    expect(spread / deviation).toBeCloseTo(1, 1);
  }
});

test("labels say what was applied, in EDM's order: the matrix can be made again from them", () => {
  const shape = { channels: 1, height: 32, width: 32 };
  assert(
    property(nat(), (seed) => {
      const drawn = drawAugmentation(CHOSEN, key(seed));
      const [flip, over, scale, cos, sin, along, across, right, down] = labelsOf(drawn) as readonly number[];
      const negative = drawn[4]!.a[1]! < 0; // the labels of anisotropy leave this open, in EDM too
      const [angle, amount] = [Math.atan2(across!, along!), Math.hypot(along!, across!)];
      const again: Drawn = [
        { name: "x-flip", a: [flip!] },
        { name: "y-flip", a: [over!] },
        { name: "scaling", a: [scale!] },
        { name: "rotation", a: [Math.atan2(sin!, cos! + 1)] },
        { name: "anisotropy", a: [angle, negative ? -amount : amount] },
        { name: "translation", a: [right!, down!] },
      ];
      const [a, b] = [matrixOf(drawn, shape), matrixOf(again, shape)];
      for (const name of ["xx", "xy", "x0", "yx", "yy", "y0"] as const) expect(a[name]).toBeCloseTo(b[name], 5);
    }),
  );
});

test("CIFAR-10's recipe has the six labels of flip, scale, anisotropy and translation; all together nine", () => {
  expect(augmentLabels()).toBe(6);
  expect(augmentLabels(TRANSFORMATION_NAMES)).toBe(9);
  const [some, all] = [{ probability: 1 }, { probability: 1, transformations: TRANSFORMATION_NAMES }].map((options) =>
    labelsOf(drawAugmentation(options, key(4))),
  ) as [readonly number[], readonly number[]];
  expect(some).toEqual([0, 2, 5, 6, 7, 8].map((i) => all[i])); // each has draws of its own, whatever the others are
  expect(drawAugmentation({ probability: 1 }, key(0)).map(({ name }) => name)).toEqual(CIFAR10_TRANSFORMATIONS);
});

test("the same key draws the same, another one something else", () => {
  assert(
    property(array(nat(), { minLength: 1, maxLength: 5 }), (seeds) => {
      for (const seed of seeds)
        expect(drawAugmentation(CHOSEN, key(seed))).toEqual(drawAugmentation(CHOSEN, key(seed)));
    }),
  );
  const different = new Set(draws({ probability: 1 }, 500).map((drawn) => JSON.stringify(drawn)));
  expect(different.size).toBe(500);
});
