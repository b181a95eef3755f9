import type { Shape } from "../graph/dtype.js";
import { Tensor } from "../graph/tensor.js";
import { add } from "./add.js";
import type { TensorLike } from "./constant.js";
import { div } from "./div.js";
import { mul } from "./mul.js";
import { neg } from "./neg.js";
import { reshape } from "./reshape.js";
import { square } from "./square.js";
import { sub } from "./sub.js";
import { reduceMean, reduceSum } from "./sum.js";
import { transpose } from "./transpose.js";

declare module "../graph/tensor.js" {
  interface Tensor {
    add(b: TensorLike): Tensor;
    sub(b: TensorLike): Tensor;
    mul(b: TensorLike): Tensor;
    div(b: TensorLike): Tensor;
    neg(): Tensor;
    square(): Tensor;
    reshape(shape: Shape): Tensor;
    transpose(order: readonly number[]): Tensor;
    /** Sum over `axes`, which stay with size 1; over everything, to a scalar, when none are named. */
    sum(axes?: readonly number[]): Tensor;
    /** Mean over `axes`, which stay with size 1; over everything, to a scalar, when none are named. */
    mean(axes?: readonly number[]): Tensor;
  }
}

const over = (reduce: typeof reduceSum, x: Tensor, axes?: readonly number[]): Tensor => {
  if (axes) return reduce(x, { axes });
  return x.rank === 0 ? x : reshape(reduce(x, { axes: x.shape.map((_, axis) => axis) }), { shape: [] });
};

Object.assign(Tensor.prototype, {
  add(this: Tensor, b: TensorLike) {
    return add(this, b);
  },
  sub(this: Tensor, b: TensorLike) {
    return sub(this, b);
  },
  mul(this: Tensor, b: TensorLike) {
    return mul(this, b);
  },
  div(this: Tensor, b: TensorLike) {
    return div(this, b);
  },
  neg(this: Tensor) {
    return neg(this);
  },
  square(this: Tensor) {
    return square(this);
  },
  reshape(this: Tensor, shape: Shape) {
    return reshape(this, { shape });
  },
  transpose(this: Tensor, order: readonly number[]) {
    return transpose(this, { order });
  },
  sum(this: Tensor, axes?: readonly number[]) {
    return over(reduceSum, this, axes);
  },
  mean(this: Tensor, axes?: readonly number[]) {
    return over(reduceMean, this, axes);
  },
});
