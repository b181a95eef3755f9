/** Bytes that are read piece by piece: a file, a response with ranges, an array. */
export type RandomAccess = {
  /** What errors call it. */
  readonly name: string;
  /** Number of bytes. */
  readonly size: number;
  /** Bytes `offset` … `offset + length − 1`, which lie inside; fewer when the source has shrunk meanwhile. */
  readonly read: (offset: number, length: number) => Promise<Uint8Array>;
};

/** Bytes that are at hand. */
export const fromBytes = (bytes: Uint8Array, name: string): RandomAccess => ({
  name,
  size: bytes.length,
  read: async (offset, length) => bytes.subarray(offset, offset + length),
});

const LONGEST = 80;

/** Foreign text as an error may show it: one line, no control characters, not too long. */
export const shown = (text: string, longest = LONGEST): string => {
  const clean = text.slice(0, longest + 1).replace(/[^\x20-\x7e\xa1-\uffff]|[\u2028\u2029\u202a-\u202e]/g, "\ufffd");
  return clean.length > longest ? `${clean.slice(0, longest)}…` : clean;
};
