/** Pixels [H W `stored`] of bytes, as pictures are stored. */
export type StoredPixels = { readonly bytes: ArrayLike<number>; readonly stored: number };

/**
 * An image [C H W] in [−1, 1] of `plane` pixels: the middle of each step of `toBytes`, x = (b − 127.5) / 127.5. Channels beyond
 * the stored ones repeat the last.
 */
export const imageOf = ({ bytes, stored }: StoredPixels, channels: number, plane: number): Float32Array =>
  Float32Array.from({ length: channels * plane }, (_, i) => {
    const [c, p] = [Math.floor(i / plane), i % plane];
    return (bytes[p * stored + Math.min(c, stored - 1)]! - 127.5) / 127.5;
  });

/** A mask [H W] in [0, 1], of the first channel. */
export const maskOf = ({ bytes, stored }: StoredPixels, plane: number): Float32Array =>
  Float32Array.from({ length: plane }, (_, p) => bytes[p * stored]! / 255);
