import { describe, expect, test } from "vitest";
import { float, gaussian, referenceOf } from "../../tests/engine.js";
import type { Tensor } from "../graph/tensor.js";
import { matmul, reshape } from "../ops/index.js";
import { openRuntime, type RuntimeKind } from "../runtime/index.js";
import { lower } from "./index.js";

const [p, g] = [float("p", 4, 4), float("g", 4, 4)];
const lowered = (outputs: Readonly<Record<string, Tensor>>) => lower("test", outputs, { inPlace: { "next.p": "p" } });

describe("an output takes an input's place only where that changes no result", () => {
  const refused: [string, () => Record<string, Tensor>, RegExp][] = [
    ["read later by another output", () => ({ "next.p": p.add(g), other: p.mul(2) }), /mul may read the input later/],
    [
      "read later through a view",
      () => ({ "next.p": p.add(g), other: matmul(reshape(p, { shape: [2, 8] }), float("w", 8, 1)) }),
      /reshape may read|matmul may read/,
    ],
    ["mixed across elements", () => ({ "next.p": matmul(p, g) }), /matmul does not work element by element/],
    [
      "another shape",
      () => ({ "next.p": p.add(float("more", 2, 4, 4)) }),
      /it is float32\[2 4 4\], the input is float32\[4 4\]/,
    ],
    ["no such output", () => ({ other: p.add(g) }), /next\.p or p is not one of its outputs and inputs/],
  ];
  test.each(refused)("%s: refused", (_, build, message) => {
    expect(() => lowered(build())).toThrow(message);
  });

  test("accepted: read before, then replaced element by element", () => {
    const next = p.add(p.square().mul(g));
    expect(lowered({ "next.p": next, after: next.mul(2) }).inPlace).toEqual({ "next.p": "p" });
  });
});

test.each<RuntimeKind>(["native", "portable"])("the %s runtime writes the next state over the last", async (kind) => {
  const next = p.mul(0.5).add(p.square().mul(g)).sub(p.mul(g).mul(0.25));
  const runtime = await openRuntime({ kind, threads: 1 });
  const program = lowered({ "next.p": next });
  const executable = await runtime.compile(program);
  let wanted = gaussian("p", [4, 4]);
  const slope = gaussian("g", [4, 4]).map((value) => value / 8);
  const [state, gradient] = [
    runtime.tensor(p.type, Float32Array.from(wanted)),
    runtime.tensor(g.type, Float32Array.from(slope)),
  ];
  for (let k = 0; k < 3; k++) {
    await executable.run({ p: state, g: gradient }, { "next.p": state });
    wanted = Float64Array.from(referenceOf(next, { p: wanted, g: slope }));
  }
  (await state.read()).forEach((value: number | bigint, i: number) => {
    expect(Number(value)).toBeCloseTo(wanted[i]!, 5);
  });
  const other = runtime.tensor(g.type);
  await expect(executable.run({ p: other, g: gradient }, { "next.p": gradient })).rejects.toThrow(
    /output next\.p is also bound as another input or output/,
  );
  await runtime.close();
});
