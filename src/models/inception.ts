import type { Tensor } from "../graph/tensor.js";
import { type Scope, xavierUniform, zerosInit } from "../nn/index.js";
import { averagePool, concat, conv2d, matmul, maxPool, relu, slice } from "../ops/index.js";

/**
 * Inception of 5 December 2015, whose features FID is defined on: Szegedy et al. 2015 (arXiv:1512.00567) as TensorFlow's
 * published graph has it. Blocks are named as in the public PyTorch port; batch norm is part of the convolutions here
 * (`src/train/inception` folds it in), so every unit has a weight and a bias.
 */

type Size = number | readonly [rows: number, columns: number];
type Unit = { readonly stride?: 1 | 2; readonly same?: boolean };

const pairOf = (size: Size): readonly [number, number] => (typeof size === "number" ? [size, size] : size);

/** Convolution with bias, then ReLU; `same` keeps the size (stride 1), else no padding. */
const unit = (
  scope: Scope,
  x: Tensor,
  channels: number,
  size: Size,
  { stride = 1, same = stride === 1 }: Unit = {},
): Tensor =>
  scope.build(() => {
    const [rows, columns] = pairOf(size);
    const [down, right] = same ? [(rows - 1) / 2, (columns - 1) / 2] : [0, 0];
    const weight = scope.parameter("weight", [channels, x.dim(1), rows, columns], xavierUniform);
    const bias = scope.parameter("bias", [channels], zerosInit);
    const y = conv2d(x, weight, { stride: [stride, stride], padding: [down, right, down, right] });
    return relu(y.add(bias.reshape([1, channels, 1, 1])));
  });

/** Units one after another, `name_1`, `name_2`, …, or `name` where there is one. */
const chain = (scope: Scope, name: string, x: Tensor, units: readonly (readonly [number, Size, Unit?])[]): Tensor =>
  units.reduce((h, [channels, size, options], i) => {
    const own = units.length === 1 ? name : `${name}_${i + 1}`;
    return unit(scope.at(own), h, channels, size, options);
  }, x);

const join = (parts: readonly Tensor[]): Tensor => concat(parts, { axis: 1 });
const halved = (x: Tensor): Tensor => maxPool(x, { kernel: [3, 3], stride: [2, 2] });
const AROUND = { kernel: [3, 3], padding: [1, 1, 1, 1] } as const;
const smoothed = (x: Tensor): Tensor => averagePool(x, AROUND);

/** 35×35. */
const blockA = (scope: Scope, x: Tensor, pooled: number): Tensor =>
  scope.build(() =>
    join([
      chain(scope, "branch1x1", x, [[64, 1]]),
      chain(scope, "branch5x5", x, [
        [48, 1],
        [64, 5],
      ]),
      chain(scope, "branch3x3dbl", x, [
        [64, 1],
        [96, 3],
        [96, 3],
      ]),
      chain(scope, "branch_pool", smoothed(x), [[pooled, 1]]),
    ]),
  );

/** 35×35 to 17×17. */
const blockB = (scope: Scope, x: Tensor): Tensor =>
  scope.build(() =>
    join([
      chain(scope, "branch3x3", x, [[384, 3, { stride: 2 }]]),
      chain(scope, "branch3x3dbl", x, [
        [64, 1],
        [96, 3],
        [96, 3, { stride: 2 }],
      ]),
      halved(x),
    ]),
  );

/** 17×17. */
const blockC = (scope: Scope, x: Tensor, inner: number): { readonly all: Tensor; readonly first: Tensor } =>
  scope.build(() => {
    const first = chain(scope, "branch1x1", x, [[192, 1]]);
    const along = [1, 7] as const;
    const down = [7, 1] as const;
    const all = join([
      first,
      chain(scope, "branch7x7", x, [
        [inner, 1],
        [inner, along],
        [192, down],
      ]),
      chain(scope, "branch7x7dbl", x, [
        [inner, 1],
        [inner, down],
        [inner, along],
        [inner, down],
        [192, along],
      ]),
      chain(scope, "branch_pool", smoothed(x), [[192, 1]]),
    ]);
    return { all, first };
  });

/** 17×17 to 8×8. */
const blockD = (scope: Scope, x: Tensor): Tensor =>
  scope.build(() =>
    join([
      chain(scope, "branch3x3", x, [
        [192, 1],
        [320, 3, { stride: 2 }],
      ]),
      chain(scope, "branch7x7x3", x, [
        [192, 1],
        [192, [1, 7]],
        [192, [7, 1]],
        [192, 3, { stride: 2 }],
      ]),
      halved(x),
    ]),
  );

/** Both halves of a 3×3 kernel, side by side. */
const split = (scope: Scope, name: string, x: Tensor): Tensor =>
  join([unit(scope.at(`${name}a`), x, 384, [1, 3]), unit(scope.at(`${name}b`), x, 384, [3, 1])]);

/** 8×8. */
const blockE = (scope: Scope, x: Tensor, pool: (x: Tensor) => Tensor): Tensor =>
  scope.build(() =>
    join([
      chain(scope, "branch1x1", x, [[320, 1]]),
      split(scope, "branch3x3_2", unit(scope.at("branch3x3_1"), x, 384, 1)),
      split(
        scope,
        "branch3x3dbl_3",
        unit(scope.at("branch3x3dbl_2"), unit(scope.at("branch3x3dbl_1"), x, 448, 1), 384, 3),
      ),
      chain(scope, "branch_pool", pool(x), [[192, 1]]),
    ]),
  );

/** Side of the images that it reads. */
export const INCEPTION_SIZE = 299;
/** Numbers of the features that FID and sFID are computed on, and of the classes. */
export const INCEPTION_FEATURES = { pool: 2048, spatial: 7 * 17 * 17, classes: 1008 } as const;
/** Where the spatial features are: the first channels of the first branch of this block, `mixed_6/conv` in the graph. */
const SPATIAL = { block: "Mixed_6d", channels: 7 } as const;

/**
 * x [B 3 299 299], (byte − 128) / 128 → the pooled features [B 2048]; `spatial` [B 2023], on which sFID is computed; `scores` [B 1008], the features times the
 * classes' weights without bias, whose softmax the Inception Score reads; and every block by name.
 */
export const inception = (scope: Scope, x: Tensor) => {
  const blocks: Record<string, Tensor> = {};
  const stem = (name: string, h: Tensor, channels: number, size: number, options?: Unit): Tensor => {
    blocks[name] = unit(scope.at(name), h, channels, size, options);
    return blocks[name];
  };
  const inner = { same: false };
  const c1 = stem("Conv2d_1a_3x3", x, 32, 3, { stride: 2 });
  const c2 = stem("Conv2d_2a_3x3", c1, 32, 3, inner);
  const c3 = stem("Conv2d_2b_3x3", c2, 64, 3);
  const c4 = stem("Conv2d_3b_1x1", halved(c3), 80, 1);
  const c5 = stem("Conv2d_4a_3x3", c4, 192, 3, inner);

  let h = halved(c5);
  const block = (name: string, build: (scope: Scope, x: Tensor) => Tensor): void => {
    h = build(scope.at(name), h);
    blocks[name] = h;
  };
  let spatial: Tensor | undefined;
  const wide = (inside: number) => (own: Scope, z: Tensor) => {
    const { all, first } = blockC(own, z, inside);
    if (own.path === SPATIAL.block) spatial = first;
    return all;
  };
  block("Mixed_5b", (own, z) => blockA(own, z, 32));
  block("Mixed_5c", (own, z) => blockA(own, z, 64));
  block("Mixed_5d", (own, z) => blockA(own, z, 64));
  block("Mixed_6a", blockB);
  block("Mixed_6b", wide(128));
  block("Mixed_6c", wide(160));
  block(SPATIAL.block, wide(160));
  block("Mixed_6e", wide(192));
  block("Mixed_7a", blockD);
  block("Mixed_7b", (own, z) => blockE(own, z, smoothed));
  block("Mixed_7c", (own, z) => blockE(own, z, (y) => maxPool(y, AROUND))); // a maximum here, as in the published graph

  const batch = x.dim(0);
  const { pool: features, spatial: numbers, classes } = INCEPTION_FEATURES;
  const pool = h.mean([2, 3]).reshape([batch, features]);
  if (!spatial) throw new Error(`block ${SPATIAL.block} was not built`);
  const map = slice(spatial, { axis: 1, start: 0, end: SPATIAL.channels }).reshape([batch, numbers]);
  const weight = scope.at("fc").parameter("weight", [classes, features], xavierUniform);
  return { pool, spatial: map, scores: matmul(pool, weight, { transposeB: true }), blocks };
};
