import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { key } from "../random/random.js";
import { editImage, editPath } from "./edit.js";
import { noised } from "./noise.js";
import { imageOf, maskOf } from "./pixels.js";

const image = key(1).normal(48);
/** A model that takes everything for the same image, and keeps what it was asked. */
const constantModel = (value: number) => {
  const asked: { readonly x: Float32Array; readonly t: number }[] = [];
  const toData = async (x: Float32Array, t: number): Promise<Float32Array> => {
    asked.push({ x, t });
    return new Float32Array(x.length).fill(value);
  };
  return { asked, toData };
};

describe("an edit", () => {
  const strength = fc.double({ min: 0, max: 1, noNaN: true });
  const steps = fc.integer({ min: 1, max: 6 });
  const bits = fc.array(fc.constantFrom(0, 1), { minLength: 16, maxLength: 16 });

  test("keeps exactly what the mask keeps and takes the rest from the model, whatever the rounds", () =>
    fc.assert(
      fc.asyncProperty(strength, steps, bits, async (t, n, marks) => {
        const options = { image, mask: Float32Array.from(marks), strength: t, steps: n };
        const edited = await editImage(options, "linear", constantModel(7).toData);
        expect([...edited]).toEqual([...image].map((value, i) => (marks[i % 16] === 0 ? value : 7)));
      }),
      { numRuns: 50 },
    ));

  test("takes rounds of evenly falling noise, each from the result of the one before", async () => {
    const { asked, toData } = constantModel(0.25);
    await editImage({ image, strength: 0.8, steps: 4, seed: 3 }, "linear", toData);
    expect(asked.map(({ t }) => t)).toEqual([0.8, 0.8 * 0.75, 0.8 * 0.5, 0.8 * 0.25]);
    const eps = key(3).fold("edit").fold(2).normal(48);
    expect(asked[2]!.x).toEqual(noised("linear", asked[2]!.t, new Float32Array(48).fill(0.25), eps));
  });

  test("shows the model the image itself at strength 0, and noise alone at 1", async () => {
    const { asked, toData } = constantModel(0);
    await editImage({ image, strength: 0 }, "trig", toData);
    await editImage({ image, strength: 1, seed: 5 }, "linear", toData);
    expect([...asked[0]!.x]).toEqual([...image]);
    expect([...asked[1]!.x]).toEqual([...key(5).fold("edit").fold(0).normal(48)]);
  });

  test("that does not fit is refused before the model is asked", async () => {
    const { asked, toData } = constantModel(0);
    const refused = (changes: object) => editImage({ image, strength: 0.5, ...changes }, "linear", toData);
    await expect(refused({ steps: 0 })).rejects.toThrow("edit: steps is 0; it must be at least 1");
    await expect(refused({ steps: 1.5 })).rejects.toThrow("edit: steps is 1.5; it must be at least 1");
    await expect(refused({ strength: Number.NaN })).rejects.toThrow("strength is NaN; it must be from 0 to 1");
    await expect(refused({ mask: new Float32Array(7) })).rejects.toThrow(
      "the mask has 7 numbers; an image of 48 needs one for each pixel",
    );
    expect(asked).toEqual([]);
  });
});

test("only methods with a solution function edit, along the path they were trained on", () => {
  expect(editPath({ kind: "soflow", path: "trig" })).toBe("trig");
  expect(editPath({ kind: "meanflow" })).toBe("linear");
  expect(editPath({ kind: "alpha-flow" })).toBe("linear");
  expect(editPath({ kind: "flow-matching", path: "linear" })).toBeUndefined();
  expect(editPath({ kind: "ddpm" })).toBeUndefined();
});

test("bytes become values at the middle of their step, channel by channel", () => {
  const bytes = [0, 255, 127, 9, 128, 64, 32, 9];
  const value = (b: number): number => Math.fround((b - 127.5) / 127.5);
  expect([...imageOf({ bytes, stored: 4 }, 3, 2)]).toEqual([0, 128, 255, 64, 127, 32].map(value));
  expect([...imageOf({ bytes: [0, 255], stored: 1 }, 3, 2)]).toEqual([0, 255, 0, 255, 0, 255].map(value));
  expect([...maskOf({ bytes, stored: 4 }, 2)]).toEqual([0, Math.fround(128 / 255)]);
});
