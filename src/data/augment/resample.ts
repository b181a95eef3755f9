import type { ImageShape } from "../dataset.js";
import { type Affine, applyTo, inverse } from "./affine.js";

/** Half the width of the kernel, in zero crossings. */
const LOBES = 3;

/** L(x) = sinc(x) sinc(x / 3) for |x| < 3, exactly 1 at 0 and 0 at the other whole numbers. */
const lanczos = (x: number): number => {
  if (x === 0) return 1;
  if (Math.abs(x) >= LOBES || Number.isInteger(x)) return 0;
  const phase = Math.PI * x;
  return (LOBES * Math.sin(phase) * Math.sin(phase / LOBES)) / (phase * phase);
};

/** Index i beyond an edge, reflected at the centre of the first and the last pixel: d c b | a b c d | c b a. */
const reflected = (i: number, n: number): number => {
  if (n === 1) return 0;
  const period = 2 * (n - 1);
  const j = ((i % period) + period) % period;
  return j < n ? j : period - j;
};

/** Pixels that contribute to a value at `at`, and how much; the weights sum to 1. */
type Taps = { readonly index: Int32Array; readonly weight: Float64Array; count: number };

const newTaps = (stretch: number): Taps => {
  const room = 2 * Math.ceil(LOBES * stretch) + 2;
  return { index: new Int32Array(room), weight: new Float64Array(room), count: 0 };
};

/** Fills in the taps around a coordinate, with the kernel `stretch` times as wide. */
const setTaps = (taps: Taps, at: number, stretch: number, n: number): void => {
  taps.count = 0;
  let sum = 0;
  const last = Math.floor(at + LOBES * stretch);
  for (let i = Math.ceil(at - LOBES * stretch); i <= last; i++) {
    const weight = lanczos((at - i) / stretch);
    if (weight === 0) continue;
    taps.index[taps.count] = reflected(i, n);
    taps.weight[taps.count++] = weight;
    sum += weight;
  }
  for (let k = 0; k < taps.count; k++) taps.weight[k]! /= sum;
};

const valueAt = (image: Float32Array, plane: number, width: number, x: Taps, y: Taps): number => {
  let sum = 0;
  for (let j = 0; j < y.count; j++) {
    const row = plane + y.index[j]! * width;
    let along = 0;
    for (let i = 0; i < x.count; i++) along += x.weight[i]! * image[row + x.index[i]!]!;
    sum += y.weight[j]! * along;
  }
  return sum;
};

/**
 * An image [C H W] seen through a transformation of the plane, with edges reflected: the value of pixel q is that of the
 * image at the point that comes to lie on q, found with a separable Lanczos-3 kernel, which along each axis is made as
 * wide as the image is shrunk. Points that fall on pixels take their values unchanged. Values are not clamped: near
 * sharp edges they may leave the range of the image by some hundredths.
 */
export const transformed = (
  image: Float32Array,
  { channels, height, width }: ImageShape,
  transformation: Affine,
): Float32Array<ArrayBuffer> => {
  const back = inverse(transformation);
  const stretch = { x: Math.max(1, Math.hypot(back.xx, back.xy)), y: Math.max(1, Math.hypot(back.yx, back.yy)) };
  const [tapsX, tapsY] = [newTaps(stretch.x), newTaps(stretch.y)];
  const [centreX, centreY] = [(width - 1) / 2, (height - 1) / 2];
  const out = new Float32Array(image.length);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const [x, y] = applyTo(back, column - centreX, row - centreY);
      setTaps(tapsX, x + centreX, stretch.x, width);
      setTaps(tapsY, y + centreY, stretch.y, height);
      for (let c = 0; c < channels; c++) {
        const plane = c * height * width;
        out[plane + row * width + column] = valueAt(image, plane, width, tapsX, tapsY);
      }
    }
  return out;
};
