import { UserError } from "../errors.js";
import { addTo, get } from "./floats.js";
import type { GaussianMoments } from "./frechet.js";
import type { Matrix } from "./linear-algebra.js";

/** Rows whose products are added in one pass over the matrix. */
const ROWS = 4;

const finite = (value: number, row: number): number => {
  if (!Number.isFinite(value)) throw new UserError(`features: number ${row} has ${value} in it; they must be finite`);
  return value;
};

/** C += Σ xᵣ xᵣᵀ on the lower triangle, for ROWS rows x [ROWS D]. */
const addProducts = (c: Float64Array, x: Float64Array, D: number): void => {
  for (let i = 0; i < D; i++) {
    const [x_0, x_1, x_2, x_3] = [x[i]!, x[D + i]!, x[2 * D + i]!, x[3 * D + i]!];
    for (let j = 0; j <= i; j++)
      c[i * D + j]! += x_0 * x[j]! + x_1 * x[D + j]! + (x_2 * x[2 * D + j]! + x_3 * x[3 * D + j]!);
  }
};

/** Mean and covariance of features, added up in float64; the same bits whatever the batches. */
export class Moments implements GaussianMoments {
  count = 0;
  private readonly shift: Float64Array; // the first feature: sums of what is left do not cancel
  private readonly sum: Float64Array;
  private readonly products: Float64Array;
  private readonly waiting: Float64Array;

  constructor(readonly dimensions: number) {
    this.shift = new Float64Array(dimensions);
    this.sum = new Float64Array(dimensions);
    this.products = new Float64Array(dimensions * dimensions);
    this.waiting = new Float64Array(ROWS * dimensions);
  }

  /** Adds features [n D], row by row. Throws a `UserError` for one that is not finite. */
  add(features: ArrayLike<number>): this {
    const { dimensions: D, sum, products, shift, waiting } = this;
    if (features.length % D !== 0)
      throw new UserError(`features: ${features.length} numbers are no whole rows of ${D}`);
    for (let at = 0; at < features.length; at += D) {
      const row = (this.count % ROWS) * D;
      for (let i = 0; i < D; i++) {
        const value = finite(features[at + i]!, this.count);
        if (this.count === 0) shift[i] = value;
        const moved = value - get(shift, i);
        waiting[row + i] = moved;
        addTo(sum, i, moved);
      }
      this.count++;
      if (this.count % ROWS !== 0) continue;
      addProducts(products, waiting, D);
      waiting.fill(0);
    }
    return this;
  }

  get mean(): Float64Array {
    return this.sum.map((sum, i) => get(this.shift, i) + sum / this.count);
  }

  /** Σ (x − mean)(x − mean)ᵀ. */
  get scatter(): Matrix {
    const { dimensions: D, sum, count: n } = this;
    const data = this.products.slice();
    if (n % ROWS !== 0) addProducts(data, this.waiting, D);
    for (let i = 0; i < D; i++)
      for (let j = 0; j <= i; j++)
        data[i * D + j] = data[j * D + i] = get(data, i * D + j) - (get(sum, i) * get(sum, j)) / n;
    return { size: D, data };
  }

  /** With n − 1. Throws a `UserError` for fewer than two features. */
  get covariance(): Matrix {
    return covarianceOf(this.scatter, this.count);
  }
}

const covarianceOf = ({ size, data }: Matrix, n: number): Matrix => {
  if (n < 2) throw new UserError(`features: ${n} of them have no covariance; at least 2 are needed`);
  return { size, data: data.map((value) => value / (n - 1)) };
};

/** Moments of the samples of one node of the tree: those of blocks index · 2^level up to (index + 1) · 2^level. */
export type MomentsNode = {
  readonly level: number;
  readonly index: number;
  readonly count: number;
  readonly mean: Float64Array;
  readonly scatter: Float64Array;
};

/** The moments of two sets together. Chan, Golub & LeVeque 1983. */
const joined = (a: MomentsNode, b: MomentsNode): MomentsNode => {
  const count = a.count + b.count;
  const D = a.mean.length;
  const delta = b.mean.map((value, i) => value - get(a.mean, i));
  // S = S_a + S_b + δ δᵀ n_a n_b / n
  const weight = (a.count * b.count) / count;
  const scatter = a.scatter.map((value, k) => value + get(b.scatter, k));
  for (let i = 0; i < D; i++)
    for (let j = 0; j < D; j++) addTo(scatter, i * D + j, get(delta, i) * get(delta, j) * weight);
  const mean = a.mean.map((value, i) => value + (get(delta, i) * b.count) / count);
  return { level: a.level + 1, index: a.index >> 1, count, mean, scatter };
};

/** Whether b follows a under one parent. */
const siblings = (a: MomentsNode, b: MomentsNode): boolean =>
  a.level === b.level && a.index % 2 === 0 && b.index === a.index + 1;

/**
 * Mean and covariance of parts that are computed apart: samples are taken in blocks by their index, and blocks are
 * joined in a tree whose shape depends on the index alone. Parts that end where blocks end merge to exactly the bits of
 * one run over all samples.
 */
export class BlockMoments implements GaussianMoments {
  private nodes: MomentsNode[] = [];

  /** `nodes`: of another part, as it had kept them. */
  constructor(
    readonly dimensions: number,
    nodes: readonly MomentsNode[] = [],
  ) {
    for (const node of nodes) this.push(node);
  }

  /** Adds a block: all of its samples at once, blocks in rising order. */
  addNode(node: MomentsNode): this {
    this.push(node);
    return this;
  }

  /** Adds a part whose blocks follow. */
  merge(part: BlockMoments): this {
    if (part.dimensions !== this.dimensions)
      throw new UserError(`features of ${this.dimensions} and of ${part.dimensions} numbers cannot be merged`);
    for (const node of part.nodes) this.push(node);
    return this;
  }

  /** What there is to keep: as many nodes as a binary number has ones, or twice that. */
  get parts(): readonly MomentsNode[] {
    return this.nodes;
  }

  private push(node: MomentsNode): void {
    const before = this.nodes.at(-1);
    if (before && node.index * 2 ** node.level < (before.index + 1) * 2 ** before.level)
      throw new UserError(`features: block ${node.index * 2 ** node.level} is there already, or is out of order`);
    if (before && siblings(before, node)) {
      this.nodes.pop();
      this.push(joined(before, node));
    } else this.nodes.push(node);
  }

  /** What is left joins from the right, whatever the sizes. */
  private get whole(): MomentsNode {
    if (this.nodes.length === 0) throw new UserError("features: 0 of them have no mean; at least 1 is needed");
    return this.nodes.reduceRight((after, node) => joined(node, after));
  }

  get count(): number {
    return this.nodes.reduce((sum, node) => sum + node.count, 0);
  }

  get mean(): Float64Array {
    return this.whole.mean;
  }

  /** With n − 1. */
  get covariance(): Matrix {
    const { scatter, count } = this.whole;
    return covarianceOf({ size: this.dimensions, data: scatter }, count);
  }
}
