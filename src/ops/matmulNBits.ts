import type { NdArray } from "../graph/op.js";
import type { Tensor } from "../graph/tensor.js";
import { add } from "./add.js";
import { cast } from "./cast.js";
import { concat } from "./concat.js";
import { check, defineOp, type OpFunction, show } from "./define.js";
import { floor } from "./floor.js";
import { matmul } from "./matmul.js";
import { mul } from "./mul.js";
import { fromIndices } from "./ndarray.js";
import { reshape } from "./reshape.js";
import { sub } from "./sub.js";
import { reduceSum } from "./sum.js";

export type Quantisation = {
  /** Bits of a weight. */
  readonly bits: 4 | 8;
  /** Consecutive weights of a row that share a scale: a power of two from 16 on that divides K. */
  readonly block: number;
  /** What kernels may turn the other operand into, where they can: int8 rounds it block by block as it goes. */
  readonly activations: "float32" | "int8";
};

/** ONNX Runtime's accuracy levels: 1 is float32, 4 is int8. */
const ACCURACY = { float32: 1, int8: 4 } as const;

/** The whole numbers behind packed weights, −2^(bits−1) … 2^(bits−1) − 1; of two in a byte the lower half is first. */
const levels = (packed: Tensor, bits: number): Tensor => {
  const bytes = cast(packed, { to: "float32" });
  if (bits === 8) return sub(bytes, 128);
  const high = floor(mul(bytes, 1 / 16));
  const halves = [sub(bytes, mul(high, 16)), high].map((half) => reshape(half, { shape: [...half.shape, 1] }));
  return add(reshape(concat(halves, { axis: 3 }), { shape: [...packed.shape.slice(0, 2), 2 * packed.dim(2)] }), -8);
};

/** [N K] in blocks of a scale each: [N·K/block block]. */
const inBlocks = (x: Tensor, block: number): Tensor =>
  reshape(x, { shape: [x.shape.reduce((n, d) => n * d, 1) / block, block] });

const weights = (packed: Tensor, scales: Tensor, { bits, block }: Quantisation): Tensor => {
  const scaled = mul(inBlocks(levels(packed, bits), block), reshape(scales, { shape: [scales.dim(0), 1] }));
  return reshape(scaled, { shape: [packed.dim(0), packed.dim(1) * block] });
};

const levelAt = ({ data, shape }: NdArray, bits: number, row: number, column: number): number => {
  const perRow = shape[1]! * shape[2]!;
  if (bits === 8) return data[row * perRow + column]! - 128;
  const byte = data[row * perRow + (column >> 1)]!;
  return (column % 2 === 0 ? byte % 16 : Math.floor(byte / 16)) - 8;
};

const example = (bits: 4 | 8, rows: number, columns: number, block: number) => ({
  inputs: [
    [rows, 2 * block],
    { shape: [columns, 2, (block * bits) / 8], dtype: "uint8" as const, below: 256 },
    { shape: [2 * columns], range: [0.01, 0.1] as [number, number] },
  ],
  attributes: { bits, block, activations: "float32" as const },
});

/**
 * y = x Wᵀ with W = scale · level, a scale for each block of a row.   x [M K], packed uint8 [N K/block block·bits/8],
 * scales [N·K/block] → y [M N]. ONNX Runtime's `MatMulNBits`; with `activations: "int8"` its products are of whole
 * numbers where the machine has instructions for that, and y is then about 1 % off.
 */
export const matmulNBits: OpFunction<readonly ["x", "packed", "scales"], Quantisation> = defineOp({
  name: "matmulNBits",
  inputs: ["x", "packed", "scales"],
  infer: ({ x, packed, scales }, { bits, block }) => {
    check(x.shape.length === 2 && x.dtype === "float32", `x must be float32 [M K], got ${show(x)}`);
    const [n = 0, blocks = 0, bytes = 0] = packed.shape;
    const fits = packed.dtype === "uint8" && bytes * 8 === block * bits && blocks * block === x.shape[1];
    check(
      fits,
      `packed is ${show(packed)}; for x ${show(x)} in blocks of ${block} at ${bits} bits it must be uint8[N ${x.shape[1]! / block} ${(block * bits) / 8}]`,
    );
    check(
      scales.shape.length === 1 && scales.shape[0] === n * blocks,
      `scales must be [${n * blocks}], got ${show(scales)}`,
    );
    return { dtype: "float32", shape: [x.shape[0]!, n] };
  },
  wrt: {
    x: {
      jvp: ({ packed, scales }, dx, { attributes }) => matmulNBits(dx, packed, scales, attributes),
      vjp: ({ packed, scales }, ct, { attributes }) => matmul(ct, weights(packed, scales, attributes)),
    },
    packed: { zero: "whole numbers" },
    scales: {
      jvp: ({ x, packed }, dscales, { attributes }) => matmulNBits(x, packed, dscales, attributes),
      vjp: ({ x, packed, scales }, ct, { attributes: { bits, block } }) => {
        const moved = mul(inBlocks(matmul(ct, x, { transposeA: true }), block), inBlocks(levels(packed, bits), block));
        return reshape(reduceSum(moved, { axes: [1] }), { shape: scales.shape });
      },
    },
  },
  onnx: (graph, { x, packed, scales }, { bits, block, activations }, node) => {
    const [K, N] = [node.inputs[0]!.dim(1), node.inputs[1]!.dim(0)];
    const attributes = { K, N, bits, block_size: block, accuracy_level: ACCURACY[activations] };
    return graph.node("MatMulNBits", [x, packed, scales], { domain: "com.microsoft", attributes });
  },
  reference: ({ x, packed, scales }, { bits, block }, [y]) =>
    fromIndices(y!.shape, ([m, n]) => {
      const K = x.shape[1]!;
      let sum = 0;
      for (let k = 0; k < K; k++) {
        const scale = scales.data[(n! * K + k - (k % block)) / block]!;
        sum += x.data[m! * K + k]! * scale * levelAt(packed, bits, n!, k);
      }
      return sum;
    }),
  examples: [example(8, 3, 4, 16), example(8, 1, 5, 32), example(4, 3, 4, 16), example(4, 2, 3, 32)],
  rejects: [
    {
      inputs: [[2, 32], { shape: [3, 1, 16], dtype: "uint8" }, [3]],
      attributes: { bits: 8, block: 16, activations: "float32" },
      message: /packed is uint8\[3 1 16\]; for x float32\[2 32\] in blocks of 16 at 8 bits it must be uint8\[N 2 16\]/,
    },
    {
      inputs: [[2, 16], { shape: [3, 1, 16], dtype: "uint8" }, [4]],
      attributes: { bits: 8, block: 16, activations: "float32" },
      message: /scales must be \[3\], got float32\[4\]/,
    },
  ],
});
