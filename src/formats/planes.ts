/** Bytes [n C H W] as [n H W 3]; grey is repeated. */
export const channelsLast = (bytes: Uint8Array, n: number, channels: number, size: number): Uint8Array => {
  const plane = size * size;
  const out = new Uint8Array(n * plane * 3);
  for (let i = 0; i < n; i++)
    for (let p = 0; p < plane; p++)
      for (let c = 0; c < 3; c++)
        out[(i * plane + p) * 3 + c] = bytes[(i * channels + Math.min(c, channels - 1)) * plane + p]!;
  return out;
};

/** Bytes [n H W 3] as floats [n C H W], each as `value` says; the first channels alone where C is below 3. */
export const channelsFirst = (
  bytes: Uint8Array,
  n: number,
  channels: number,
  size: number,
  value: (byte: number) => number,
): Float32Array<ArrayBuffer> => {
  const plane = size * size;
  const out = new Float32Array(n * channels * plane);
  for (let i = 0; i < n; i++)
    for (let c = 0; c < channels; c++)
      for (let p = 0; p < plane; p++) out[(i * channels + c) * plane + p] = value(bytes[(i * plane + p) * 3 + c]!);
  return out;
};
