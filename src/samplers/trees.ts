import { zip } from "../graph/lists.js";

/** A rooted tree, as its root's subtrees. Runge–Kutta methods have one order condition for each. */
export type Tree = readonly Tree[];

/** Number of nodes. */
export const nodesOf = (tree: Tree): number => 1 + tree.reduce((n, child) => n + nodesOf(child), 0);

/** Forests of `size` nodes whose trees are among the first `count` of `trees`, the later trees first. */
const forests = (trees: readonly Tree[], size: number, count = trees.length): readonly Tree[][] => {
  if (size === 0) return [[]];
  return trees.slice(0, count).flatMap((tree, i) => {
    const left = size - nodesOf(tree);
    return left < 0 ? [] : forests(trees, left, i + 1).map((rest) => [tree, ...rest]);
  });
};

/** All rooted trees of up to `order` nodes, the smaller first: 1, 1, 2, 4, 9, 20 … of 1, 2, 3 … nodes. */
export const rootedTrees = (order: number): readonly Tree[] => {
  const trees: Tree[] = [];
  for (let n = 1; n <= order; n++) trees.push(...forests(trees, n - 1));
  return trees;
};

/** γ(τ) = |τ| Π γ(τ′) over the subtrees τ′. */
export const density = (tree: Tree): number => tree.reduce((product, child) => product * density(child), nodesOf(tree));

/** Σ_j u_j v_j over the shorter of two lists. */
export const dot = (u: readonly number[], v: readonly number[]): number =>
  zip(u.slice(0, v.length), v.slice(0, u.length)).reduce((sum, [a, b]) => sum + a * b, 0);

/** Φ_i(τ) = Π Σ_j a_ij Φ_j(τ′) over the subtrees τ′, for each stage i. Order p needs Σ_i b_i Φ_i(τ) = 1/γ(τ) for |τ| ≤ p. */
export const stageProducts = (a: readonly (readonly number[])[], tree: Tree): readonly number[] => {
  const children = tree.map((child) => stageProducts(a, child));
  return a.map((row) => children.reduce((product, phi) => product * dot(row, phi), 1));
};
