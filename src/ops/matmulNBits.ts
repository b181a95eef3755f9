import { nth } from "../graph/lists.js";
import type { NdArray } from "../graph/op.js";
import type { Tensor } from "../graph/tensor.js";
import { add } from "./add.js";
import { cast } from "./cast.js";
import { concat } from "./concat.js";
import { axesOf, check, defineOp, type OpFunction } from "./define.js";
import { reject } from "./examples.js";
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

/** The level at a place of the packed rows [N blocks bytes]. */
const levelAt = ({ data, shape }: NdArray, bits: number, row: number, column: number): number => {
  const [, blocks, bytes] = axesOf("packed", { shape }, "N blocks bytes");
  const place = row * blocks * bytes;
  if (bits === 8) return nth(data, place + column) - 128;
  const byte = nth(data, place + (column >> 1));
  return (column % 2 === 0 ? byte % 16 : Math.floor(byte / 16)) - 8;
};

const quantised = (bits: 4 | 8, rows: number, columns: number, block: number) => ({
  inputs: [
    [rows, 2 * block],
    { shape: [columns, 2, (block * bits) / 8], dtype: "uint8" as const, below: 256 },
    { shape: [2 * columns], range: [0.01, 0.1] as const },
  ],
  attributes: { bits, block, activations: "float32" as const },
});

const AT_8_BITS = { bits: 8, block: 16, activations: "float32" };

/**
 * y = x Wᵀ with W = scale · level, a scale for each block of a row.   x [M K], packed uint8 [N K/block block·bits/8],
 * scales [N·K/block] → y [M N]. ONNX Runtime's `MatMulNBits`; with `activations: "int8"` its products are of whole
 * numbers where the machine has instructions for that, and y is then about 1 % off.
 */
export const matmulNBits: OpFunction<readonly ["x", "packed", "scales"], Quantisation> = defineOp({
  name: "matmulNBits",
  inputs: ["x", "packed", "scales"],
  infer: ({ x, packed, scales }, { bits, block }) => {
    const [[M, K], [N, blocks, bytes]] = [axesOf("x", x, "M K"), axesOf("packed", packed, "N blocks bytes")];
    const types = x.dtype === "float32" && packed.dtype === "uint8" && scales.dtype === "float32";
    check(types, "x and scales must be float32, packed uint8");
    const fits = bytes * 8 === block * bits && blocks * block === K;
    const wanted = `[N ${K / block} ${(block * bits) / 8}]`;
    check(fits, `in blocks of ${block} at ${bits} bits packed must be ${wanted}`);
    const [count] = axesOf("scales", scales, "blocks");
    check(count === N * blocks, `scales must be [${N * blocks}]`);
    return { dtype: "float32", shape: [M, N] };
  },
  wrt: {
    x: { adjoint: (ct, { packed, scales }, { attributes }) => matmul(ct, weights(packed, scales, attributes)) },
    packed: { zero: "whole numbers" },
    scales: {
      adjoint: (ct, { x, packed, scales }, { attributes: { bits, block } }) => {
        const moved = mul(inBlocks(matmul(ct, x, { transposeA: true }), block), inBlocks(levels(packed, bits), block));
        return reshape(reduceSum(moved, { axes: [1] }), { shape: scales.shape });
      },
    },
  },
  onnx: (graph, { x, packed, scales }, { bits, block, activations }, { inputs }) => {
    const [K, N] = [inputs.x.dim(1), inputs.packed.dim(0)];
    const attributes = { K, N, bits, block_size: block, accuracy_level: ACCURACY[activations] };
    return graph.node("MatMulNBits", [x, packed, scales], { domain: "com.microsoft", attributes });
  },
  reference: ({ x, packed, scales }, { bits, block }, { shape }) => {
    const [, K] = axesOf("x", x, "M K");
    return fromIndices(axesOf("y", { shape }, "M N"), ([m, n]) => {
      let sum = 0;
      for (let k = 0; k < K; k++) {
        const scale = nth(scales.data, (n * K + k - (k % block)) / block);
        sum += nth(x.data, m * K + k) * scale * levelAt(packed, bits, n, k);
      }
      return sum;
    });
  },
  examples: [quantised(8, 3, 4, 16), quantised(8, 1, 5, 32), quantised(4, 3, 4, 16), quantised(4, 2, 3, 32)],
  rejects: [
    reject(
      "[2 32] uint8[3 1 16] [3]",
      /in blocks of 16 at 8 bits packed must be \[N 2 16\]: .* is uint8\[3 1 16\]/,
      AT_8_BITS,
    ),
    reject("[2 16] uint8[3 1 16] [4]", /scales must be \[3\]: .*, scales is float32\[4\]/, AT_8_BITS),
    reject("[2 16] [3 1 16] [3]", /packed uint8: .*, packed is float32\[3 1 16\]/, AT_8_BITS),
  ],
});
