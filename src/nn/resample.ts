import type { Tensor } from "../graph/tensor.js";
import { constant, conv2d, convTranspose2d } from "../ops/index.js";

/** The binomial filter of width 4, to be normalised. */
const TAPS = [1, 3, 3, 1];
const WINDOW = { stride: [2, 2], padding: [1, 1, 1, 1] } as const;

/** The filter over rows and columns with this sum, for one channel. */
const filter = (sum: number): Tensor => {
  const total = TAPS.reduce((a, b) => a + b) ** 2;
  const values = TAPS.flatMap((row) => TAPS.map((column) => (sum * row * column) / total));
  return constant(Float32Array.from(values), [1, 1, 4, 4]);
};

/** Every channel as an image of its own, so that one filter serves all.   [B C H W] → [B·C 1 H W] */
const apart = (x: Tensor): Tensor => {
  const [batch, channels, height, width] = x.dims("B C H W");
  return x.reshape([batch * channels, 1, height, width]);
};

/** Half the rows and columns, smoothed by the filter 1,3,3,1; zeros beyond the edge.   [B C H W] → [B C H/2 W/2] */
export const halve = (x: Tensor): Tensor => {
  const [batch, channels, height, width] = x.dims("B C H W");
  return conv2d(apart(x), filter(1), WINDOW).reshape([batch, channels, height / 2, width / 2]);
};

/** Twice the rows and columns, interpolated by the filter 1,3,3,1; zeros beyond the edge.   [B C H W] → [B C 2H 2W] */
export const double = (x: Tensor): Tensor => {
  const [batch, channels, height, width] = x.dims("B C H W");
  const size = [2 * height, 2 * width] as const;
  return convTranspose2d(apart(x), filter(4), { ...WINDOW, size }).reshape([batch, channels, ...size]);
};
