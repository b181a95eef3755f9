import type { HostArray } from "../graph/dtype.js";
import { nth, renew } from "../graph/lists.js";
import { rewrite } from "../graph/rewrite.js";
import type { Tensor } from "../graph/tensor.js";
import { input, inputName, matmul, matmulNBits } from "../ops/index.js";

/** Smaller weights stay as they are: they take no time, and first and last layers feel rounding most. */
const SMALLEST = 1 << 16;

/** Weights that share a scale, tried in this order: few scales are fast at 8 bits, 4 bits need many to be near. */
const BLOCKS = { 8: [256, 128, 64, 32, 16], 4: [32, 16] } as const;

type Bits = keyof typeof BLOCKS;
type Named<T> = Readonly<Record<string, T>>;
type Packed = { readonly packed: Uint8Array<ArrayBuffer>; readonly scales: Float32Array<ArrayBuffer> };

/** Rows of weights in blocks, w ≈ scale · level with scale = max |w| / (2^(bits−1) − 1). See `matmulNBits`. */
export const pack = (w: Float32Array, block: number, bits: Bits): Packed => {
  const [top, middle] = [2 ** (bits - 1) - 1, 2 ** (bits - 1)];
  const packed = new Uint8Array((w.length * bits) / 8);
  const scales = new Float32Array(w.length / block);
  for (let b = 0; b < scales.length; b++) {
    const [from, to] = [b * block, (b + 1) * block];
    let most = 0;
    for (let i = from; i < to; i++) most = Math.max(most, Math.abs(w[i]!));
    scales[b] = most / top;
    const perUnit = most === 0 ? 0 : top / most;
    for (let i = from; i < to; i++) {
      const level = middle + Math.round(w[i]! * perUnit);
      if (bits === 8) packed[i] = level;
      else packed[i >> 1]! |= level << (4 * (i % 2));
    }
  }
  return { packed, scales };
};

/** The name and values of W where a tensor is x Wᵀ of a given weight, float32 and large enough. */
const candidate = ({ node: { op, inputs, attributes } }: Tensor, given: Named<HostArray>) => {
  const { transposeA = false, transposeB = false, alpha = 1 } = attributes;
  if (op !== matmul.op || transposeA || !transposeB || alpha !== 1) return undefined;
  const [x, w] = [nth(inputs, 0), nth(inputs, 1)];
  const name = inputName(w);
  const data = name === undefined ? undefined : given[name];
  const fits = x.rank === 2 && w.rank === 2 && w.dim(0) * w.dim(1) >= SMALLEST;
  return name !== undefined && data instanceof Float32Array && fits ? { w, name, data } : undefined;
};

/**
 * The same computation with large weights held in 8 or 4 bits, and products of whole numbers where the machine has
 * instructions for them. With it come the values of all weights, the packed ones included.
 */
export const quantise = (
  outputs: Named<Tensor>,
  given: Named<HostArray>,
  bits: Bits,
): { outputs: Named<Tensor>; given: Named<HostArray> } => {
  const packed: Record<string, HostArray> = {};
  const product = (y: Tensor, inputs: readonly Tensor[]): Tensor | undefined => {
    const found = candidate(y, given);
    const block = found && BLOCKS[bits].find((size) => found.w.dim(1) % size === 0);
    if (!found || !block) return undefined;
    const [N, K] = [found.w.dim(0), found.w.dim(1)];
    const [levels, scales] = [`${found.name}.packed`, `${found.name}.scales`];
    if (!(levels in packed)) {
      const parts = pack(found.data, block, bits);
      Object.assign(packed, { [levels]: parts.packed, [scales]: parts.scales });
    }
    return matmulNBits(
      nth(inputs, 0),
      input(levels, { dtype: "uint8", shape: [N, K / block, (block * bits) / 8] }),
      input(scales, { dtype: "float32", shape: [(N * K) / block] }),
      { bits, block, activations: "int8" },
    );
  };
  const next = rewrite(Object.values(outputs), product);
  return {
    outputs: renew(outputs, next),
    given: { ...given, ...packed },
  };
};
