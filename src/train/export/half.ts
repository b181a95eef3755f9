/** The bits of the nearest float16, ties to even; beyond 65504 infinite. */
const halfBits = (value: number): number => {
  FLOAT[0] = value;
  const bits = BITS[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 112;
  const mantissa = bits & 0x7fffff;
  if (exponent >= 31) return sign | 0x7c00 | (((bits >>> 23) & 0xff) === 0xff && mantissa > 0 ? 0x200 : 0);
  if (exponent <= 0) {
    if (exponent < -10) return sign;
    const full = mantissa | 0x800000;
    const shift = 14 - exponent;
    const rest = full & ((1 << shift) - 1);
    const half = 1 << (shift - 1);
    const low = full >>> shift;
    return sign | (low + Number(rest > half || (rest === half && (low & 1) === 1)));
  }
  const low = (exponent << 10) | (mantissa >>> 13);
  const rest = mantissa & 0x1fff;
  return sign | (low + Number(rest > 0x1000 || (rest === 0x1000 && (low & 1) === 1)));
};

const FLOAT = new Float32Array(1);
const BITS = new Uint32Array(FLOAT.buffer);

/** Numbers as float16, as 16 bits each. */
export const toHalf = (values: Float32Array): Uint16Array<ArrayBuffer> => Uint16Array.from(values, halfBits);
