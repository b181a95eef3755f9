/**
 * Bilinear resizing along one axis as TensorFlow 1 does it (`resize_bilinear` without align_corners and half-pixel
 * centres): pixel i of the result lies at i · size / wanted of the image, between its two neighbours; nothing is smoothed
 * when the image shrinks. The weights as a matrix [wanted size]; every row sums to 1.
 */
export const resizeMatrix = (size: number, wanted: number): Float32Array<ArrayBuffer> => {
  const matrix = new Float32Array(wanted * size);
  const scale = Math.fround(size / wanted); // TensorFlow computes places and weights in float32
  for (let i = 0; i < wanted; i++) {
    const at = Math.fround(i * scale);
    const low = Math.min(Math.floor(at), size - 1);
    const weight = Math.fround(at - low);
    matrix[i * size + low]! += 1 - weight;
    matrix[i * size + Math.min(low + 1, size - 1)]! += weight;
  }
  return matrix;
};
