import { type LatentsFile, openLatentsFile } from "../../data/latents/latents.js";
import { UserError } from "../../errors.js";
import { type EncodeOptions, making, writeLatentsFile } from "./encode.js";

/** Bytes of rows that are held at once. */
const SLAB = 2 ** 24;
const ATTRIBUTES = ["vae", "flip", "classes"] as const;

const attributesOf = ({ file }: LatentsFile): Record<string, string> =>
  Object.fromEntries(
    ATTRIBUTES.flatMap((name) => {
      const value = file.attribute(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );

/** Parts must come from the same autoencoder and hold latents of one size. */
const checkAlike = ([first, ...others]: readonly LatentsFile[]): void => {
  const wanted = { channels: first!.channels, side: first!.side, ...attributesOf(first!) } as Record<string, unknown>;
  for (const other of others) {
    const found = { channels: other.channels, side: other.side, ...attributesOf(other) } as Record<string, unknown>;
    const field = Object.keys({ ...wanted, ...found }).find((key) => wanted[key] !== found[key]);
    if (field)
      throw new UserError(
        `encode: ${other.file.path} does not belong to ${first!.file.path}: ${field} is ${String(found[field])}, not ${String(wanted[field])}`,
      );
  }
};

/** In which order the rows of the parts stand in the whole: all plain ones, then all mirrored ones. */
const rangesOf = (parts: readonly LatentsFile[]) => {
  const orientations = parts[0]!.file.attribute("flip") === "both" ? 2 : 1;
  return Array.from({ length: orientations }, (_, o) =>
    parts.map((part) => {
      const size = part.amount / orientations;
      return { part, first: o * size, last: (o + 1) * size };
    }),
  ).flat();
};

async function* piecesOf(ranges: ReturnType<typeof rangesOf>) {
  let at = 0;
  for (const { part, first, last } of ranges) {
    const atOnce = Math.max(1, Math.floor(SLAB / (4 * part.channels * part.side ** 2)));
    for (let start = first; start < last; start += atOnce) {
      const end = Math.min(last, start + atOnce);
      yield { first: at, rows: part.latents.rows(start, end) as Float32Array };
      at += end - start;
    }
  }
}

/**
 * Joins parts, given in their order, to the file that one run would have made. Returns the number of rows. When the signal is
 * aborted its reason is thrown and nothing is left.
 */
export const mergeLatents = (
  out: string,
  paths: readonly string[],
  options: Pick<EncodeOptions, "signal" | "onNote"> = {},
): Promise<number> =>
  making(out, options, async (signal) => {
    const parts: LatentsFile[] = [];
    try {
      for (const path of paths) parts.push(await openLatentsFile(path));
      checkAlike(parts);
      const ranges = rangesOf(parts);
      const labels = BigInt64Array.from(
        ranges.flatMap(({ part, first, last }) => [...part.labels.subarray(first, last)]),
      );
      const { channels, side } = parts[0]!;
      const header = { amount: labels.length, channels, side, labels, attributes: attributesOf(parts[0]!) };
      await writeLatentsFile(out, header, piecesOf(ranges), signal);
      return labels.length;
    } finally {
      for (const { file } of parts) file.close();
    }
  });
