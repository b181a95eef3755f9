import type { HostArray } from "../graph/dtype.js";
import { lookup, renew } from "../graph/lists.js";
import type { Op } from "../graph/op.js";
import { rewrite } from "../graph/rewrite.js";
import type { Tensor } from "../graph/tensor.js";
import { defineOp } from "../ops/define.js";
import { add, input, inputName, matmul, reshape, softmax, split, transpose } from "../ops/index.js";

import { areFew } from "./lower.js";

type Named<T> = Readonly<Record<string, T>>;

const afterwards = (): never => {
  throw new Error("attention is fused after derivatives have been taken");
};
const none = { jvp: afterwards, vjp: afterwards };

/**
 * Softmax(q kᵀ α) v with q, k and v made inside, all heads at once.   x [B L D], weight [D 3D], bias [3D] → [B L D]
 * ONNX Runtime's `Attention`: it writes q, k and v where it reads them, so nothing is cut or transposed.
 */
const attention = defineOp<readonly ["x", "weight", "bias"], { readonly heads: number; readonly alpha: number }>({
  name: "attention",
  inputs: ["x", "weight", "bias"],
  infer: ({ x }) => x,
  wrt: { x: none, weight: none, bias: none },
  reference: afterwards,
  onnx: (graph, { x, weight, bias }, { heads, alpha }) =>
    graph.node("Attention", [x, weight, bias], {
      domain: "com.microsoft",
      attributes: { num_heads: heads, scale: { float: alpha } },
    }),
  examples: [],
  rejects: [],
});

const HEADS_FIRST = [0, 2, 1, 3];

/** What stands behind a tensor, when it is the result of this operation with these attributes. */
const behind = (y: Tensor | undefined, { op }: { op: Op }, attributes: Named<unknown> = {}): Tensor[] | undefined => {
  if (y?.node.op !== op) return undefined;
  const fits = Object.entries(attributes).every(([name, value]) => `${y.node.attributes[name]}` === `${value}`);
  return fits ? [...y.node.inputs] : undefined;
};

/** The tensor that a row of heads was cut from, when `part` is its i-th third, [B H L d]. */
const thirdOf = (part: Tensor | undefined, i: number): Tensor | undefined => {
  const [rows] = behind(part, transpose, { order: HEADS_FIRST }) ?? [];
  const [third] = behind(rows, reshape) ?? [];
  const [qkv] = third?.index === i ? (behind(third, split) ?? []) : [];
  return qkv;
};

type Found = {
  readonly rows: Tensor;
  readonly weight: string;
  readonly bias: Tensor;
  readonly heads: Tensor;
  readonly alpha: number;
};

/** The parts of selfAttention (src/nn/attention.ts) whose heads, side by side again, are y. */
const selfAttentionOf = (y: Tensor): Found | undefined => {
  const [mixed] = behind(y, reshape) ?? [];
  const [heads] = behind(mixed, transpose, { order: HEADS_FIRST }) ?? [];
  const [weights, v] = behind(heads, matmul) ?? [];
  const [scores] = behind(weights, softmax) ?? [];
  const [q, k] = behind(scores, matmul, { transposeB: true }) ?? [];
  const [qkv, ...others] = [q, k, v].map(thirdOf);
  if (!heads || !scores || !qkv || others.some((other) => other !== qkv)) return undefined;
  const [sum] = behind(qkv, reshape) ?? [];
  const [product, bias] = behind(sum, add) ?? [];
  const [rows, w] = behind(product, matmul, { transposeB: true }) ?? [];
  const weight = w && inputName(w);
  if (!rows || !bias || weight === undefined) return undefined;
  return { rows, weight, bias, heads, alpha: Number(scores.node.attributes.alpha ?? 1) };
};

/** W [N K] as [K N]. */
const transposed = (w: Float32Array, columns: number): Float32Array<ArrayBuffer> => {
  const rows = w.length / columns;
  const result = new Float32Array(w.length);
  for (let n = 0; n < rows; n++) for (let k = 0; k < columns; k++) result[k * rows + n] = w[n * columns + k]!;
  return result;
};

/**
 * The same computation with self-attention in one operation where its weights are given, and few: as initializers ONNX
 * Runtime lays them out for it. Measured with the product that makes q, k and v: 0.85 ms instead of 1.02 for 64 samples
 * of 16 tokens. Many weights are bound instead of laid out; there it would be slower (DiT-B/2, batch 1: by a tenth).
 */
export const fuseAttention = (outputs: Named<Tensor>, given: Named<HostArray>) => {
  if (!areFew(given)) return { outputs, given };
  const laidOut: Record<string, HostArray> = {};
  const now = new Map<Tensor, Tensor>();
  const fuse = (y: Tensor): Tensor | undefined => {
    const found = selfAttentionOf(y);
    const data = found && given[found.weight];
    if (!found || !(data instanceof Float32Array)) return undefined;
    const [batch, heads, length, size] = found.heads.dims("B H L d");
    const width = heads * size;
    const name = `${found.weight}.columns`;
    laidOut[name] ??= transposed(data, width);
    const weight = input(name, { dtype: "float32", shape: [width, 3 * width] });
    const x = reshape(lookup(now, found.rows), { shape: [batch, length, width] });
    const mixed = attention(x, weight, found.bias, { heads, alpha: found.alpha });
    return reshape(mixed, { shape: y.shape });
  };
  const next = rewrite(Object.values(outputs), fuse, now);
  return {
    outputs: renew(outputs, next),
    given: { ...given, ...laidOut },
  };
};
