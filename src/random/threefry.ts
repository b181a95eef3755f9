const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;
const PARITY = 0x1bd11bda;

/**
 * Threefry-2x32 with 20 rounds: 64 random bits as a pure function of a 64-bit key and a 64-bit counter.
 * Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3". For key 0 and counter 0: 6b200159 99ba4efe.
 */
export const threefry2x32 = (k0: number, k1: number, c0: number, c1: number): [number, number] => {
  const k2 = k0 ^ k1 ^ PARITY;
  let x0 = (c0 + k0) | 0;
  let x1 = (c1 + k1) | 0;
  for (let block = 0; block < 5; block++) {
    const first = (block & 1) << 2;
    for (let r = first; r < first + 4; r++) {
      const rotation = ROTATIONS[r]!;
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << rotation) | (x1 >>> (32 - rotation))) ^ x0;
    }
    // After block b the keys k[b+1], k[b+2] (indices mod 3) are injected, with b + 1 added to the second word.
    const phase = (block + 1) % 3;
    x0 = (x0 + (phase === 0 ? k0 : phase === 1 ? k1 : k2)) | 0;
    x1 = (x1 + (phase === 0 ? k1 : phase === 1 ? k2 : k0) + block + 1) | 0;
  }
  return [x0 >>> 0, x1 >>> 0];
};
